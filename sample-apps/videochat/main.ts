/**
 * A room for people with cameras: rtmp://HOST/videochat/ROOM. Connect with a name, publish under the name that `me` says, and
 * play the streams of all who are in the shared object `people`.
 */

/** By the id of the client, which is also the name of the stream. */
interface Person {
  name: string;
  camera: boolean;
  microphone: boolean;
  /** The pictures are of a screen. */
  screen: boolean;
  speaking: boolean;
}

interface Member extends Client {
  /** Known to one page alone, which shows it when it comes back. */
  key: string;
}

type Shown = Pick<Person, 'camera' | 'microphone' | 'screen'>;

const { people: most = 8 } = application.config as { people?: number };
const people = SharedObject.get<Record<string, Person>>('people');

application.onConnect = (client, wanted, key) => {
  const name = typeof wanted === 'string' ? wanted.trim() : '';
  if (name === '' || name.length > 32)
    throw new RpcError('NAME', 'Connect with a name of 1 to 32 characters.');
  const isKey = typeof key === 'string' && key.length >= 16 && key.length <= 64;
  const ghost = isKey ? (application.clients as Member[]).find((each) => each.key === key) : undefined;
  // After the script has died everybody passes here again: they have their places.
  if (!client.reconnected && people.size() - (ghost ? 1 : 0) >= most)
    throw new RpcError('FULL', `This room is full: there is room for ${most}.`, { most });
  // A page that has lost its connection is back before the server has noticed.
  if (ghost && ghost !== client) application.disconnect(ghost);
  (client as Member).key = isKey ? key : '';
  // Nobody writes but to the stream that is theirs.
  client.writeAccess = client.id;
  if (!people.getProperty(client.id))
    set(client, { name, camera: false, microphone: false, screen: false, speaking: false });
  return true;
};

application.authorizePublish = (client, stream) =>
  stream.name === client.id || 'Publish under the name that `me` says.';

// Nothing here is to be kept: of who asks for a recording nothing stays (app.json bounds what it may become).
application.onUnpublish = (_client, stream) => {
  application.clearStreams(`/${stream.name}`);
};

application.authorizePlay = (_client, stream) =>
  people.getProperty(stream.name) !== undefined || 'There is nobody of that name here.';

people.authorize = () => false;

application.expose({
  /** The name of your stream, and your key in `people`. */
  me(this: Client) {
    return this.id;
  },

  /** Says what others get to see and hear of you. */
  show: {
    args: isShown,
    perSecond: 10,
    call(this: Client, { camera, microphone, screen }: Shown) {
      const speaking = microphone && (people.data[this.id]?.speaking ?? false);
      change(this, { camera, microphone, screen, speaking });
    },
  },

  /** Says whether you are speaking. */
  speak: {
    args: ([speaking]: unknown[]) => typeof speaking === 'boolean',
    perSecond: 10,
    call(this: Client, speaking: boolean) {
      change(this, { speaking: speaking && (people.data[this.id]?.microphone ?? false) });
    },
  },
});

function change(client: Client, changes: Partial<Person>): void {
  const person = people.getProperty(client.id);
  if (person) set(client, { ...person, ...changes });
}

/** Who leaves is gone from the list at once, whatever this script is at. */
function set(client: Client, person: Person): void {
  people.setProperty(client.id, person, { until: client });
}

function isShown([shown]: unknown[]): boolean {
  const { camera, microphone, screen } = (shown ?? {}) as Partial<Shown>;
  return [camera, microphone, screen].every((each) => typeof each === 'boolean');
}
