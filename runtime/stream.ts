import { makeOpaque } from './amf.ts';
import { askAfterAll } from './ask.ts';
import { hide } from './clock.ts';
import { loadPart } from './parts.ts';
import {
  append,
  define,
  deleteProperty,
  NativeTypeError,
  SafeMap,
  SafeWeakMap,
  shown,
} from './primordials.ts';
import type { StreamPart, StreamSettings } from './stream/main.ts';
import type { Delivery } from './wall/deliveries.ts';
import type { StreamRequest } from './wall/fields.ts';

export type StreamDelivery = Extract<Delivery, { kind: `stream-${string}` }>;

/** A stream as the script sees it. One object per name for as long as it is published, or open by `Stream.get`. */
export class Stream {
  readonly name: string;
  /** What followed `?` in the publish name, without the `?`. */
  readonly publishQueryString: string;
  /** How it was to be published; empty when nobody has asked to. */
  readonly publishMode: string;

  constructor(request: StreamRequest) {
    makeOpaque(this);
    made.set(this, true);
    this.name = request.name;
    this.publishQueryString = request.query;
    this.publishMode = request.mode;
  }
}

/** Every one there is. */
const made = new SafeWeakMap<object, boolean>();
const live = new SafeMap<string, Stream>();
/** Those that the script has asked for. */
const opened = new SafeMap<string, Stream>();
/** `application.streams`: the script's to read; nothing here relies on it. */
export const liveStreams: Record<string, Stream> = {};

/** What the part has of these. */
export const streams = { made, live, opened, Stream };

/** The published stream of that name, or an object for one that nobody publishes yet. */
export function streamFor(request: StreamRequest): Stream {
  return live.get(request.name) ?? opened.get(request.name) ?? new Stream(request);
}

/** The object for a stream that a client publishes now; `candidate` is the one that was asked about. */
export function publishedStream(request: StreamRequest, candidate: Stream | undefined): Stream {
  const known = opened.get(request.name);
  if (known) definePublished(known, request);
  const isSame = candidate?.name === request.name;
  return known ?? (isSame ? candidate : new Stream(request));
}

function definePublished(stream: Stream, { query, mode }: StreamRequest): void {
  define(stream, 'publishQueryString', query);
  define(stream, 'publishMode', mode);
}

export function setLive(stream: Stream): void {
  live.set(stream.name, stream);
  define(liveStreams, stream.name, stream);
}

export function endLive(name: string): void {
  live.delete(name);
  deleteProperty(liveStreams, name);
}

/** Those that the script knows: published ones, and those that it has asked for. */
export function carriedStreams(): Stream[] {
  const all: Stream[] = [];
  live.forEach((stream) => void append(all, stream));
  opened.forEach((stream, name) => {
    if (live.get(name) !== stream) append(all, stream);
  });
  return all;
}

/** What the script has set of a stream that it has asked for; undefined for others. */
export function settingsOf(stream: object): StreamSettings | undefined {
  return opened.get((stream as Stream).name) === stream ? streamPart().settingsOf(stream) : undefined;
}

/** A stream that an older script knew. */
export function takeOverStream(
  request: StreamRequest,
  isLive: boolean,
  settings: StreamSettings | undefined,
): Stream {
  const known = isLive || settings ? opened.get(request.name) : undefined;
  if (known) definePublished(known, request);
  const stream = known ?? new Stream(request);
  if (isLive) setLive(stream);
  if (settings) streamPart().takeOver(stream, settings);
  return stream;
}

let part: StreamPart | undefined;

function streamPart(): StreamPart {
  part ??= loadPart<StreamPart>('stream');
  return part;
}

/** `application.clearStreams`: true when everything that the path stands for is gone. */
export function clearStreams(path: unknown): boolean {
  const member = 'application.clearStreams';
  if (typeof path !== 'string' || path === '')
    throw new NativeTypeError(`${member}: expected a path such as "/" or "mp4:/shows/*", got ${shown(path)}`);
  return askAfterAll('stream.clear-all', path) as boolean;
}

/** What becomes of a stream that the script has open. */
export function receiveStream(delivery: StreamDelivery): void {
  part?.receive(delivery);
}

const METHODS = ['play', 'record', 'send', 'clear', 'flush', 'setBufferTime'] as const;
const PROPERTIES = ['bufferTime', 'syncWrite', 'receiveAudio', 'receiveVideo'] as const;
const STATIC_METHODS = ['get', 'length', 'size', 'getOnMetaData', 'destroy'] as const;

export type StreamMethod = (typeof METHODS)[number];
export type StreamProperty = (typeof PROPERTIES)[number];
export type StaticStreamMethod = (typeof STATIC_METHODS)[number];

/** The global `Stream`: its prototype is open to scripts, its construction is not. What it does is in the part. */
export function installStream(global: typeof globalThis): void {
  function PublicStream(): never {
    throw new NativeTypeError('Stream: streams are made by the server; use Stream.get(name)');
  }
  Object.defineProperty(PublicStream, 'name', { value: 'Stream' });
  Object.defineProperty(PublicStream, 'prototype', { value: Stream.prototype, writable: false });
  for (const name of STATIC_METHODS) {
    Object.defineProperty(PublicStream, name, {
      value: (...args: unknown[]) => streamPart().statics[name](...args),
      writable: true,
      configurable: true,
    });
  }
  for (const name of METHODS) {
    hide(Stream.prototype, name, function method(this: unknown, ...args: unknown[]) {
      return streamPart().methods[name](this, args);
    });
  }
  for (const name of PROPERTIES) {
    Object.defineProperty(Stream.prototype, name, {
      get(this: unknown) {
        return streamPart().get(this, name);
      },
      set(this: unknown, value: unknown) {
        streamPart().set(this, name, value);
      },
      configurable: true,
    });
  }
  hide(Stream.prototype, 'constructor', PublicStream);
  hide(global, 'Stream', PublicStream);
}
