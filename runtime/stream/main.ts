import type { StaticStreamMethod, StreamDelivery, StreamMethod, StreamProperty } from '../stream.ts';
import {
  getProperty,
  methods,
  receive,
  type StreamSettings,
  setProperty,
  settingsOf,
  statics,
  takeOver,
} from './stream.ts';

export type { StreamSettings };

/** What runtime/stream.ts has of this part. */
export interface StreamPart {
  statics: Record<StaticStreamMethod, (...args: unknown[]) => unknown>;
  methods: Record<StreamMethod, (stream: unknown, args: readonly unknown[]) => unknown>;
  get(stream: unknown, name: StreamProperty): unknown;
  set(stream: unknown, name: StreamProperty, value: unknown): void;
  receive(delivery: StreamDelivery): void;
  settingsOf(stream: object): StreamSettings | undefined;
  takeOver(stream: object, settings: StreamSettings): void;
}

/** The entry of the bundle. */
declare const give: (loaded: StreamPart) => void;
give({ statics, methods, get: getProperty, set: setProperty, receive, settingsOf, takeOver });
