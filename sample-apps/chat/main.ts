/**
 * A chat room per instance: rtmp://HOST/chat/ROOM. Connect with a name, then call `say`, `whisper` and `who`; the
 * room calls your `joined`, `left`, `heard` and `whispered`.
 */

/** What clients can do: with this the compiler checks each call. */
declare global {
  interface ClientMethods {
    joined(name: string): void;
    left(name: string): void;
    heard(name: string, text: string): void;
    whispered(name: string, text: string): void;
  }
}

interface Member extends Client {
  name: string;
}

const members = () => application.clients as Member[];
const called = (name: string) => members().find((member) => member.name === name);

application.onConnect = (client, wanted) => {
  const name = String(wanted ?? '').trim();
  if (name === '' || name.length > 32) {
    application.rejectConnection(client, 'Connect with a name of 1 to 32 characters.');
    return false;
  }
  const member = client as Member;
  if (called(name)) {
    application.rejectConnection(client, `The name ${name} is taken.`, { taken: name });
    return false;
  }
  member.name = name;
  application.acceptConnection(client);
  // After this file was saved everybody passes here again: they are still in the room, and nobody joined.
  if (!client.reconnected) application.broadcastMsg('joined', name);
  return true;
};

application.onDisconnect = (client) => application.broadcastMsg('left', (client as Member).name);

Object.assign(Client.prototype, {
  /** Says something to everybody in the room. */
  say(this: Member, text: unknown) {
    const line = checked(text);
    application.broadcastMsg('heard', this.name, line);
    return line.length;
  },

  /** Says something to one person: resolves to whether they were there. */
  whisper(this: Member, name: unknown, text: unknown) {
    const line = checked(text);
    return called(String(name))?.call('whispered', null, this.name, line) ?? false;
  },

  /** The names of everybody in the room. */
  who(this: Member) {
    return members().map((member) => member.name);
  },
});

function checked(text: unknown): string {
  if (typeof text !== 'string' || text.trim() === '') throw new TypeError('say something');
  return text.slice(0, 1000);
}

export {};
