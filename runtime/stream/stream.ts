import {
  argumentsOf,
  ask,
  askAfterAll,
  decodeValues,
  functionIn,
  hasOwn,
  isReserved,
  linkNumbers,
  NativeTypeError,
  numberOf,
  reading,
  reportError,
  runHandler,
  SafeWeakMap,
  send,
  shown,
  streams,
} from '../shared.ts';
import type { Stream, StreamDelivery, StreamProperty } from '../stream.ts';

/** What the runtime knows of a stream that the script has open. */
export interface StreamSettings {
  /** The name with the container's prefix, as the host is told it. */
  key: string;
  bufferTime: number;
  syncWrite: boolean;
  receiveAudio: boolean;
  receiveVideo: boolean;
}

const sides = new SafeWeakMap<object, StreamSettings>();

/** The default of a queue for another server's stream, in seconds. */
const BUFFER_TIME = 2;
/** What the other side is told at most: an hour. */
const MAX_BUFFER_MS = 3_600_000;

export const statics = { get, length, size, getOnMetaData, destroy };
export const methods = { play, record, send: sendData, clear, flush, setBufferTime };

/** The stream of that name; null for what is no name of a stream. */
function get(name: unknown): Stream | null {
  const text = nameIn('Stream.get', name);
  const known = ask('stream.open', text) as [name: string, key: string] | null;
  return known && keep(known[0], known[1]);
}

/** Seconds of a recorded stream; 0 when there is none. */
function length(name: unknown): number {
  return ask('stream.length', nameIn('Stream.length', name)) as number;
}

/** Bytes of a recorded stream; 0 when there is none. */
function size(name: unknown): number {
  return ask('stream.size', nameIn('Stream.size', name)) as number;
}

/** What a recorded stream says of itself; null when there is none, or it says nothing. */
function getOnMetaData(name: unknown): unknown {
  const bytes = ask('stream.metadata', nameIn('Stream.getOnMetaData', name)) as Uint8Array | null;
  return bytes === null ? null : decodeValues(bytes)[1];
}

/** Stops what the server plays and records under that name; the handle is of no more use. */
function destroy(stream: unknown): boolean {
  const side = expectStream('Stream.destroy', stream);
  streams.opened.delete((stream as Stream).name);
  return askAfterAll('stream.destroy', side.key) as boolean;
}

function play(stream: unknown, args: readonly unknown[]): boolean {
  const member = 'stream.play';
  const { key } = expectStream(member, stream);
  const [source, start = -2, duration = -1, reset = true, connection] = args;
  if (source === false) return askAfterAll('stream.stop', key) as boolean;
  const startMs = milliseconds(member, start);
  return askAfterAll(
    'stream.play',
    key,
    nameIn(member, source),
    startMs < 0 ? (startMs === -1000 ? -1000 : -2000) : startMs,
    atLeastNone(milliseconds(member, duration)),
    !(reset === false || reset === 0 || reset === 2),
    linkIn(member, connection),
  ) as boolean;
}

function record(stream: unknown, args: readonly unknown[]): boolean {
  const member = 'stream.record';
  const { key } = expectStream(member, stream);
  const [flag = 'record', maxDuration = -1, maxSize = -1] = args;
  if (flag === false) return askAfterAll('stream.record', key, '', 0, 0) as boolean;
  if (flag !== 'record' && flag !== 'append' && flag !== 'appendWithGap')
    throw new NativeTypeError(
      `${member}: expected "record", "append", "appendWithGap" or false, got ${shown(flag)}`,
    );
  const seconds = numberOf(member, maxDuration);
  const kilobytes = numberOf(member, maxSize);
  return askAfterAll(
    'stream.record',
    key,
    flag,
    seconds > 0 ? seconds * 1000 : 0,
    kilobytes > 0 ? kilobytes * 1024 : 0,
  ) as boolean;
}

function sendData(stream: unknown, args: readonly unknown[]): boolean {
  const member = 'stream.send';
  const { key } = expectStream(member, stream);
  const [handler] = args;
  if (typeof handler !== 'string' || handler === '')
    throw new NativeTypeError(`${member}: expected the name of a handler, got ${shown(handler)}`);
  send({ kind: 'stream-send', stream: key, values: argumentsOf(member, args) }, member);
  return true;
}

function clear(stream: unknown): boolean {
  return askAfterAll('stream.clear', expectStream('stream.clear', stream).key) as boolean;
}

function flush(stream: unknown): boolean {
  return askAfterAll('stream.flush', expectStream('stream.flush', stream).key) as boolean;
}

function setBufferTime(stream: unknown, [seconds]: readonly unknown[]): boolean {
  const member = 'stream.setBufferTime';
  const side = expectStream(member, stream);
  const wanted = numberOf(member, seconds);
  if (!(wanted >= 0)) throw new NativeTypeError(`${member}: expected seconds, got ${shown(seconds)}`);
  side.bufferTime = wanted;
  sendSettings(member, side);
  return true;
}

export function getProperty(stream: unknown, name: StreamProperty): unknown {
  return sides.get(stream as object)?.[name] ?? initial[name];
}

export function setProperty(stream: unknown, name: StreamProperty, value: unknown): void {
  const member = `stream.${name}`;
  if (name === 'bufferTime') throw new NativeTypeError(`${member} is read-only: use setBufferTime`);
  const side = expectStream(member, stream);
  side[name] = value === true || value === 1;
  sendSettings(member, side);
}

function sendSettings(member: string, side: StreamSettings): void {
  send(
    {
      kind: 'stream-set',
      stream: side.key,
      isSynchronous: side.syncWrite,
      bufferMs: atMost(side.bufferTime * 1000, MAX_BUFFER_MS),
      receivesAudio: side.receiveAudio,
      receivesVideo: side.receiveVideo,
    },
    member,
  );
}

export function settingsOf(stream: object): StreamSettings | undefined {
  return sides.get(stream);
}

/** As an older script had it: the host has its settings still. */
export function takeOver(stream: object, settings: StreamSettings): void {
  const known = ask('stream.open', settings.key) as [name: string, key: string] | null;
  if (!known) return;
  sides.set(stream, settings);
  streams.opened.set(known[0], stream as Stream);
}

/** What becomes of a stream, or what it carries: for the script's handlers on the object. */
export function receive(delivery: StreamDelivery): void {
  const stream = streams.opened.get(delivery.stream);
  if (!stream) return;
  if (delivery.kind === 'stream-status') {
    const { level, code, description, details } = delivery;
    run(stream, 'onStatus', [{ level, code, description, details }]);
    return;
  }
  const values = decodeValues(delivery.values);
  const name = values[0];
  if (typeof name !== 'string' || name === 'onStatus') return;
  const args: unknown[] = [];
  for (let i = 1; i < values.length; i++) args[i - 1] = values[i];
  run(stream, name, args);
}

function run(stream: Stream, name: string, args: unknown[]): void {
  const where = `Stream.${name}`;
  try {
    const value = reading(where, () => (stream as unknown as Record<string, unknown>)[name]);
    // What every object has, and what is ours, is no handler of the script's.
    if (
      isReserved(streams.Stream.prototype, value) ||
      (!hasOwn(stream, name) && !hasOwn(streams.Stream.prototype, name))
    )
      return;
    const handler = name === 'onStatus' ? functionIn(where, value) : typeof value === 'function' && value;
    if (handler) runHandler(where, handler as (...values: unknown[]) => unknown, stream, args);
  } catch (error) {
    reportError(error, where);
  }
}

const initial: Omit<StreamSettings, 'key'> = {
  bufferTime: BUFFER_TIME,
  syncWrite: false,
  receiveAudio: true,
  receiveVideo: true,
};

/** The script's object for a name: the one that is live, if it is. */
function keep(name: string, key: string): Stream {
  const stream =
    streams.opened.get(name) ?? streams.live.get(name) ?? new streams.Stream({ name, query: '', mode: '' });
  if (!sides.has(stream)) sides.set(stream, { key, ...initial });
  streams.opened.set(name, stream);
  return stream;
}

/** A stream that the script has from elsewhere, such as `onPublish`, is opened when something is asked of it. */
function expectStream(member: string, stream: unknown): StreamSettings {
  const known = typeof stream === 'object' && stream !== null ? sides.get(stream) : undefined;
  if (known && streams.opened.get((stream as Stream).name) === stream) return known;
  if (typeof stream !== 'object' || stream === null || !streams.made.has(stream))
    throw new NativeTypeError(`${member}: expected a Stream, got ${shown(stream)}`);
  const { name } = stream as Stream;
  const opened = get(name);
  if (!opened)
    throw new NativeTypeError(
      `${member}: ${shown(name)} is no name of a stream; it is one such as "films/one", without a slash in front`,
    );
  if (opened !== stream) {
    streams.opened.set(name, stream as Stream);
    if (!sides.has(stream)) sides.set(stream, { key: name, ...initial });
  }
  return sides.get(stream)!;
}

/** The number of a NetConnection: 0, which the host knows nothing of, for one that is not connected and is not about to be. */
function linkIn(member: string, connection: unknown): number | undefined {
  if (connection === undefined || connection === null) return undefined;
  const numberOfLink = typeof connection === 'object' ? linkNumbers.get(connection) : undefined;
  if (!numberOfLink)
    throw new NativeTypeError(`${member}: expected a NetConnection, got ${shown(connection)}`);
  return numberOfLink();
}

function atMost(value: number, most: number): number {
  return value < most ? value : most;
}

function milliseconds(member: string, seconds: unknown): number {
  const value = numberOf(member, seconds) * 1000;
  return value >= 0 || value < 0 ? value : -1000;
}

function atLeastNone(ms: number): number {
  return ms < 0 ? -1 : ms;
}

function nameIn(member: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new NativeTypeError(`${member}: expected the name of a stream, got ${shown(value)}`);
}
