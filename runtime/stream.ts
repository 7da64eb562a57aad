import { makeOpaque } from './amf.ts';
import { hide } from './clock.ts';
import { define, deleteProperty, NativeTypeError, SafeMap } from './primordials.ts';
import type { StreamRequest } from './wall/fields.ts';

/** A live stream as the script sees it. One object per name for as long as it is published. */
export class Stream {
  readonly name: string;
  /** What followed `?` in the publish name, without the `?`. */
  readonly publishQueryString: string;

  constructor(request: StreamRequest) {
    makeOpaque(this);
    this.name = request.name;
    this.publishQueryString = request.query;
  }
}

const live = new SafeMap<string, Stream>();
/** `application.streams`: the script's to read; nothing here relies on it. */
export const liveStreams: Record<string, Stream> = {};

/** The published stream of that name, or an object for one that nobody publishes yet. */
export function streamFor(request: StreamRequest): Stream {
  return live.get(request.name) ?? new Stream(request);
}

export function setLive(stream: Stream): void {
  live.set(stream.name, stream);
  define(liveStreams, stream.name, stream);
}

export function endLive(name: string): void {
  live.delete(name);
  deleteProperty(liveStreams, name);
}

/** The global `Stream`: its prototype is open to scripts, its construction is not. */
export function installStream(global: typeof globalThis): void {
  function PublicStream(): never {
    throw new NativeTypeError('Stream: streams are made by the server');
  }
  Object.defineProperty(PublicStream, 'name', { value: 'Stream' });
  Object.defineProperty(PublicStream, 'prototype', { value: Stream.prototype, writable: false });
  hide(Stream.prototype, 'constructor', PublicStream);
  hide(global, 'Stream', PublicStream);
}
