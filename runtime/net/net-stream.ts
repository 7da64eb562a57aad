import {
  argumentsOf,
  define,
  functionIn,
  linkNumbers,
  makeOpaque,
  NativeTypeError,
  numberOf,
  reportError,
  runHandler,
  SafeMap,
  SafeWeakMap,
  send,
  shown,
  streams,
  turnMonotonic,
} from '../shared.ts';
import type { Stream } from '../stream.ts';
import { PushChange } from '../wall/links.ts';

interface Side {
  connection: object;
  /** What the host knows it by, another each time that it publishes; 0 while it does not. */
  number: number;
  /** By name: what is sent. Empty for nothing. */
  source: string;
  bufferTime: number;
  /** When the other side has begun to take it, and when that was over; of the turn's clock. */
  beganAt: number | undefined;
  endedAt: number | undefined;
}

/** What is told of a stream: level, code and description. */
export interface StatusTexts {
  level: string;
  code: string;
  description: string;
}

const sides = new SafeWeakMap<object, Side>();
/** Those that publish, until the host has said that they do no more. */
const open = new SafeMap<number, NetStream>();
let nextNumber = 1;

/** As the names of streams elsewhere: some carry a token. */
const MAX_NAME = 4096;
/** A day, in seconds. */
const MAX_BUFFER_TIME = 86_400;

/** A stream that the script publishes at another instance (Server-Side ActionScript Language Reference, class NetStream). */
export class NetStream {
  constructor(connection?: unknown) {
    if (typeof connection !== 'object' || connection === null || !linkNumbers.has(connection))
      throw new NativeTypeError(`NetStream: expected a NetConnection, got ${shown(connection)}`);
    makeOpaque(this);
    const side = { connection, number: 0, source: '', bufferTime: 0, beganAt: undefined, endedAt: undefined };
    sides.set(this, side);
  }

  get bufferTime(): number {
    return sideOf('bufferTime', this).bufferTime;
  }

  /** Seconds since the other side has begun to take it; 0 before. */
  get time(): number {
    const { beganAt, endedAt } = sideOf('time', this);
    return beganAt === undefined ? 0 : ((endedAt ?? turnMonotonic()) - beganAt) / 1000;
  }

  /** What is sent: a stream of this instance; false for nothing. */
  attach(stream: unknown): boolean {
    const side = sideOf('attach', this);
    const isStream = typeof stream === 'object' && stream !== null && streams.made.has(stream);
    const name = isStream ? (stream as Stream).name : '';
    if ((!isStream && stream !== false) || typeof name !== 'string')
      throw new NativeTypeError(`NetStream.attach: expected a Stream or false, got ${shown(stream)}`);
    side.source = name;
    settle('NetStream.attach', side);
    return true;
  }

  /** Publishes it under that name; false ends that, and says whether there was anything to end. */
  publish(name: unknown, mode: unknown = 'live'): boolean {
    const member = 'NetStream.publish';
    const side = sideOf('publish', this);
    if (name === false) {
      const wasOpen = side.number !== 0;
      if (wasOpen) send({ kind: 'push-stop', push: side.number }, member);
      side.number = 0;
      return wasOpen;
    }
    if (typeof name !== 'string' || name === '' || name.length > MAX_NAME)
      throw new NativeTypeError(`${member}: expected a name or false, got ${shown(name)}`);
    if (mode !== 'live' && mode !== 'record' && mode !== 'append' && mode !== 'appendWithGap')
      throw new NativeTypeError(
        `${member}: expected "live", "record", "append" or "appendWithGap", got ${shown(mode)}`,
      );
    if (side.number !== 0) {
      tell(this, {
        level: 'error',
        code: 'NetStream.Failed',
        description: 'This NetStream is publishing already.',
      });
      return false;
    }
    const link = linkNumbers.get(side.connection)!();
    if (link === 0) return false;
    const push = nextNumber++;
    side.number = push;
    side.beganAt = side.endedAt = undefined;
    open.set(push, this);
    const { source: stream, bufferTime } = side;
    send({ kind: 'push-start', push, link, stream, bufferMs: bufferTime * 1000, name, mode }, member);
    return true;
  }

  /** A data message for who watches it there. False while it is not published. */
  send(...args: unknown[]): boolean {
    const member = 'NetStream.send';
    const side = sideOf('send', this);
    const handler = args[0];
    if (typeof handler !== 'string' || handler === '')
      throw new NativeTypeError(`${member}: expected the name of a handler, got ${shown(handler)}`);
    const values = argumentsOf(member, args);
    if (side.number === 0 || side.beganAt === undefined) return false;
    send({ kind: 'push-send', push: side.number, values }, member);
    return true;
  }

  /** How far behind the other side may be before pictures are left out. */
  setBufferTime(seconds: unknown): boolean {
    const member = 'NetStream.setBufferTime';
    const side = sideOf('setBufferTime', this);
    const wanted = numberOf(member, seconds);
    if (!(wanted >= 0)) throw new NativeTypeError(`${member}: expected seconds, got ${shown(seconds)}`);
    side.bufferTime = wanted < MAX_BUFFER_TIME ? wanted : MAX_BUFFER_TIME;
    settle(member, side);
    return true;
  }
}

define(NetStream.prototype, 'onStatus', undefined);

/** What has become of one that publishes. */
export function receiveStatus(number: number, change: number, status: StatusTexts): void {
  const stream = open.get(number);
  const side = stream && sides.get(stream);
  if (!stream || !side) return;
  if (change === PushChange.Over) open.delete(number);
  // It may publish anew by now.
  if (side.number === number) {
    if (change === PushChange.Began) side.beganAt = turnMonotonic();
    if (change === PushChange.Over) side.number = 0;
  }
  if (change === PushChange.Over && side.number === 0 && side.beganAt !== undefined)
    side.endedAt ??= turnMonotonic();
  tell(stream, status);
}

function settle(member: string, { number, source, bufferTime }: Side): void {
  if (number !== 0)
    send({ kind: 'push-set', push: number, stream: source, bufferMs: bufferTime * 1000 }, member);
}

function tell(stream: NetStream, { level, code, description }: StatusTexts): void {
  const where = 'NetStream.onStatus';
  try {
    const handler = functionIn(where, (stream as { onStatus?: unknown }).onStatus);
    if (handler) runHandler(where, handler, stream, [{ level, code, description }]);
  } catch (error) {
    reportError(error, where);
  }
}

function sideOf(member: string, stream: unknown): Side {
  const side = typeof stream === 'object' && stream !== null ? sides.get(stream) : undefined;
  if (!side) throw new NativeTypeError(`NetStream.${member}: expected a NetStream, got ${shown(stream)}`);
  return side;
}
