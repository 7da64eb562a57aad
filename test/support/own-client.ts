import { onTestFinished } from 'vitest';
import {
  type MediaSink,
  NetConnection,
  type NetStatusEvent,
  NetStream,
  type SharedObject,
} from '../../client/index.ts';
import { inTime, Journal } from './journal.ts';

/** Our own client (client/) as tests use it. */

/** A connection that is closed when the test ends. */
export function openClient(): NetConnection {
  const connection = new NetConnection();
  onTestFinished(() => connection.close());
  return connection;
}

export async function connectClient(url: string, ...args: unknown[]): Promise<NetConnection> {
  const connection = openClient();
  await inTime('the connection', connection.connect(url, ...args));
  return connection;
}

/** The codes of all events `netStatus` from now on. */
export function codesOf(target: NetConnection | NetStream | SharedObject): Journal<string> {
  const codes = new Journal<string>('statuses', (code) => code);
  target.addEventListener('netStatus', (event) => codes.add((event as NetStatusEvent).info.code));
  return codes;
}

export const status = (codes: Journal<string>, code: string, from = 0) =>
  codes.waitFor(code, (each) => each === code, from);

export interface Got {
  readonly kind: 'audio' | 'video';
  readonly timestamp: number;
  readonly hex: string;
  /** As test/support/media.ts numbers frames. */
  readonly id: number;
  readonly isFrame: boolean;
}

/** A sink that remembers what it is given. What it has played is the test's to say. */
export class Recorder implements MediaSink {
  readonly got = new Journal<Got>('the sink', ({ kind, timestamp, id }) => `${kind} ${id} at ${timestamp}`);
  resets = 0;
  played: number | undefined;

  audio(timestamp: number, payload: Uint8Array): void {
    this.#add('audio', timestamp, payload);
  }

  video(timestamp: number, payload: Uint8Array): void {
    this.#add('video', timestamp, payload);
  }

  reset(): void {
    this.resets++;
  }

  /** The numbers of the pictures, in their order. */
  pictures(from = 0): number[] {
    return this.got.entries
      .slice(from)
      .filter(({ kind, isFrame }) => kind === 'video' && isFrame)
      .map(({ id }) => id);
  }

  picture(id: number, from = 0): Promise<Got> {
    return this.got.waitFor(
      `picture ${id}`,
      (got) => got.kind === 'video' && got.isFrame && got.id === id,
      from,
    );
  }

  #add(kind: 'audio' | 'video', timestamp: number, payload: Uint8Array): void {
    const bytes = Buffer.from(payload);
    const id = bytes.length < 4 ? -1 : bytes.readUInt32BE(bytes.length - 4);
    this.got.add({ kind, timestamp, hex: bytes.toString('hex'), id, isFrame: payload[1] === 1 });
  }
}

/** A stream with a sink that remembers. */
export function watch(connection: NetConnection): [NetStream, Recorder, Journal<string>] {
  const stream = new NetStream(connection);
  const recorder = new Recorder();
  stream.sink = recorder;
  return [stream, recorder, codesOf(stream)];
}
