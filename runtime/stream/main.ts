import type { StaticStreamMethod, StreamDelivery, StreamMethod, StreamProperty } from '../stream.ts';
import { getProperty, methods, receive, setProperty, statics } from './stream.ts';

/** What runtime/stream.ts has of this part. */
export interface StreamPart {
  statics: Record<StaticStreamMethod, (...args: unknown[]) => unknown>;
  methods: Record<StreamMethod, (stream: unknown, args: readonly unknown[]) => unknown>;
  get(stream: unknown, name: StreamProperty): unknown;
  set(stream: unknown, name: StreamProperty, value: unknown): void;
  receive(delivery: StreamDelivery): void;
}

/** The entry of the bundle. */
declare const give: (loaded: StreamPart) => void;
give({ statics, methods, get: getProperty, set: setProperty, receive });
