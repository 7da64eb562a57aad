/**
 * A room on several servers: rtmp://HOST/relay/ROOM, whichever of them HOST is. One of them is home, where the list of people
 * is; the others connect to it. Everybody sees and hears everybody. app.json says which one this is.
 */

/** By the name of the stream that is theirs. */
interface Person {
  name: string;
  server: string;
  live: boolean;
}

type People = Record<string, Person>;

interface Member extends Client {
  person: string;
  live: boolean;
  /** Of a server that is a client here: what it is called. */
  relay?: string;
}

const { server, home, secret } = application.config as { server: string; home?: string; secret: string };

let people: SharedObject<People>;
/** The way home, unless this is it. */
const there = home === undefined ? undefined : new NetConnection();
/** What goes there and what comes from there, by stream. */
const pushed = new Map<string, NetStream>();
const pulled = new Set<string>();
/** Those that somebody here has asked for. */
const wanted = new Set<string>();

if (there) {
  there.reconnect = true;
  there.onStatus = ({ code, description }) => {
    trace(`home: ${code} ${description}`);
    if (code === 'NetConnection.Connect.Success') arrived(there);
  };
  there.connect(`${home}/${application.name}`, { relay: server, secret });
  people = takePeople(there);
} else {
  people = SharedObject.get<People>('people');
  people.authorize = () => false; // the list is for scripts to write
}

application.onConnect = (client, who) => {
  const member = client as Member;
  if (typeof who === 'object' && who !== null) {
    if (there || who.secret !== secret) return false;
    member.relay = String(who.relay);
    return true;
  }
  const name = typeof who === 'string' ? who.trim() : '';
  if (name === '' || name.length > 32)
    throw new RpcError('NAME', 'Connect with a name of 1 to 32 characters.');
  member.person = `${server}-${client.id}`;
  member.writeAccess = member.person;
  member.label = name;
  member.live = false;
  enter(member);
  return true;
};

application.onDisconnect = (client) => {
  const { person } = client as Member;
  if (person) there?.call('leave', null, person);
};

application.authorizePublish = (client, stream) => {
  const { relay, person } = client as Member;
  const isTheirs = relay === undefined ? stream.name === person : stream.name.startsWith(`${relay}-`);
  return isTheirs || 'Publish under the name that `me` says.';
};

application.onPublish = (client, stream) => {
  const member = client as Member;
  if (member.relay !== undefined) return;
  member.live = true;
  enter(member);
  push(stream);
};

application.onUnpublish = (client, stream) => {
  const member = client as Member;
  if (member.relay !== undefined) return;
  member.live = false;
  enter(member);
  pushed.get(stream.name)?.publish(false);
  pushed.delete(stream.name);
};

/** A stream of another server comes here when somebody first wants to see it. */
application.authorizePlay = (_client, stream) => {
  const person = people.getProperty(stream.name);
  if (!person) return 'There is nobody of that name here.';
  if (there && person.server !== server) {
    wanted.add(stream.name);
    pull(stream.name);
  }
  return true;
};

application.expose({
  /** The name of your stream, and your key in `people`. */
  me(this: Member) {
    return this.person;
  },

  /** Of another server: somebody there is here now, or publishes, or no longer does. */
  enter(this: Member, key: string, name: string, live: boolean) {
    const { relay } = this;
    if (relay === undefined || !key.startsWith(`${relay}-`)) throw new RpcError('RELAY', 'Only for servers.');
    people.setProperty(key, { name, server: relay, live }, { until: this });
  },

  leave(this: Member, key: string) {
    const { relay } = this;
    if (relay === undefined || !key.startsWith(`${relay}-`)) throw new RpcError('RELAY', 'Only for servers.');
    people.setProperty(key, null);
  },
});

/** At home whoever leaves is gone from the list at once; the home of others hears it from their server. */
function enter(member: Member): void {
  const { person, label, live } = member;
  if (there) there.call('enter', null, person, label, live);
  else people.setProperty(person, { name: label, server, live }, { until: member });
}

function push(stream: Stream): void {
  if (!there) return;
  const out = new NetStream(there);
  out.attach(stream);
  if (out.publish(stream.name)) pushed.set(stream.name, out);
}

/** Plays it here as long as it lasts there. */
function pull(name: string): void {
  const stream = Stream.get(name);
  if (!there || !stream || !people.getProperty(name)?.live || pulled.has(name)) return;
  stream.onStatus = ({ code }) => {
    if (code === 'NetStream.Play.Stop' || code === 'NetStream.Play.Failed') pulled.delete(name);
  };
  if (stream.play(name, -1, -1, true, there)) pulled.add(name);
}

/** Also when the connection has come back: home has forgotten all of us. */
function arrived(connection: NetConnection): void {
  people = takePeople(connection);
  pushed.clear();
  for (const member of application.clients as Member[]) {
    enter(member);
    const stream = member.live && Stream.get(member.person);
    if (stream) push(stream);
  }
}

function takePeople(connection: NetConnection): SharedObject<People> {
  const list = SharedObject.get<People>('people', false, connection);
  list.onSync = () => {
    for (const name of wanted) {
      if (list.getProperty(name)) pull(name);
      else wanted.delete(name);
    }
  };
  return list;
}
