/** The client of Stagewire for browsers and Node: connections, shared objects and streams over a WebSocket. */
export { AsyncErrorEvent, CallError, type Info, NetStatusEvent } from './events.ts';
export { NetConnection, type Responder } from './net-connection.ts';
export { NetStream, type PlayOptions, type StreamStats } from './net-stream.ts';
export { type Change, SharedObject, SyncEvent } from './shared-object.ts';
export type { MediaOutput, MediaSink, MediaSource } from './sink.ts';
