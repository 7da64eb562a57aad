/**
 * A studio that never goes off air. Publish to rtmp://HOST/studio/SHOW: while you do, the stream `channel` shows you; what
 * you did is recorded, and `channel` repeats the recordings until somebody is live again.
 */

interface Show {
  seconds: number;
  /** ISO 8601. */
  recorded: string;
}

const MAX_SHOWS = 20;

/** What is recorded, for everybody to see; the server keeps it on disk beside the recordings. */
const shelf = SharedObject.get<Record<string, Show>>('shelf', true);
/** Outlives this file, as the channel does: it must not begin anew whenever this is saved. */
const state = SharedObject.get<{ isOnAir: boolean }>('state');
const channel = Stream.get('channel')!;

application.onConnect = (client) => {
  client.writeAccess = '/'; // streams; what is on the shelf only this script says
  return true;
};
application.onReattach = () => true;
shelf.authorize = () => false;
state.authorize = () => false;

application.onAppStart = () => {
  if (state.getProperty('isOnAir') !== true) repeat();
};

application.authorizePublish = (_client, { name }) => {
  if (name === 'channel') return 'the channel is the server’s own';
  const isKnown = shelf.getProperty(name) !== undefined;
  return isKnown || shelf.size() < MAX_SHOWS || `there are ${MAX_SHOWS} shows, and that is enough`;
};

application.onPublish = (_client, stream) => {
  stream.record();
  onAir(stream.name, -1);
};
application.onUnpublish = (_client, stream) => {
  stream.record(false);
};

// Of all streams, those too that somebody published before this file was saved.
Stream.prototype.onStatus = function ({ code, description }) {
  if (this === channel) {
    if (code === 'NetStream.Play.Stop') repeat();
  } else if (code === 'NetStream.Record.Stop') keep(this.name);
  else if (code.startsWith('NetStream.Record.') && code !== 'NetStream.Record.Start') trace(description);
};

function keep(name: string): void {
  const seconds = Stream.length(name);
  if (seconds > 0) shelf.setProperty(name, { seconds, recorded: new Date().toISOString() });
  trace(`${name} is on the shelf: ${Math.round(seconds)} s`);
  if (state.getProperty('isOnAir') !== true) repeat();
}

/** All recordings, one after the other; when they have ended the channel says so, and they begin again. */
function repeat(): void {
  const names = shelf.getPropertyNames();
  state.setProperty('isOnAir', names.length > 0);
  for (const [i, name] of names.entries()) channel.play(name, 0, -1, i === 0);
}

function onAir(name: string, start: number): void {
  state.setProperty('isOnAir', true);
  channel.play(name, start);
}
