import { z } from 'zod';

const KiB = 1024;
const MiB = 1024 * KiB;
const minute = 60_000;

/** A whole number with bounds; the error of every check is what is allowed. */
function whole(min: number, max: number, fallback: number) {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).default(fallback);
}

/** As `whole`, where 0 switches the limit off. */
function wholeOrOff(max: number, fallback: number) {
  const error = `a whole number from 1 to ${max}, or 0 for no limit`;
  return z.int({ error }).min(0, { error }).max(max, { error }).default(fallback);
}

/** What one instance's script may use. */
const scriptLimits = {
  /** How long one handler may run before it is stopped. Default 1000. */
  handlerMs: whole(10, 10 * minute, 1000),
  /** How long the top level of a script, and a promise that `onAppStart` returns, may take. Default 5000. */
  startMs: whole(10, 10 * minute, 5000),
  /** Heap of one isolate. Default 64. */
  heapMb: whole(8, 4096, 64),
  /** The most that a build may measure. Default 16 MiB. */
  codeBytes: whole(64 * KiB, 256 * MiB, 16 * MiB),
  /** Timers (`setInterval`, `setTimeout`) at one time. Default 1000. */
  timers: whole(0, 100_000, 1000),
  /** Calls to clients that wait for an answer; one client may have a tenth of them. Default 10000. */
  outstandingCalls: whole(1, 1_000_000, 10_000),
  /** What `trace` and `console` may print; the rest is dropped and counted. Default 64 KiB a second. */
  logBytesPerSecond: whole(KiB, 64 * MiB, 64 * KiB),
};

/** What waits between a script and the world. */
const mailboxLimits = {
  /** Deliveries that wait for a busy instance; the sockets that send more are no longer read. Default 4096. */
  mailboxRecords: whole(16, 1_000_000, 4096),
  /** The same in bytes. Default 4 MiB. */
  mailboxBytes: whole(64 * KiB, 256 * MiB, 4 * MiB),
  /** How long a client may stay pending before it is rejected. Default 30000. */
  pendingConnectMs: whole(100, 60 * minute, 30_000),
  /** How long `authorizePublish` and `authorizePlay` may take before the request is refused. Default 10000. */
  authorizeMs: whole(100, 10 * minute, 10_000),
  /** An instance without clients is unloaded after so long; one that never accepted any, after 5 seconds. Default 1200000 (20 minutes). */
  idleInstanceMs: whole(100, 24 * 60 * minute, 20 * minute),
  /** Commands that a pending client may send ahead. Default 64. */
  pendingCommands: whole(0, 10_000, 64),
};

/** Sockets and sessions, whatever the transport. */
const connectionLimits = {
  /** Connections to the server. Default 10000. */
  connections: whole(1, 1_000_000, 10_000),
  /** Connections from one address; 0 for no limit. Default 0. */
  connectionsPerAddress: wholeOrOff(1_000_000, 0),
  /** Clients of one instance; 0 for no limit. Default 0. */
  clientsPerInstance: wholeOrOff(1_000_000, 0),
  /** Instances of all applications together. Default 1000. */
  instances: whole(1, 100_000, 1000),
  /** From the first byte to the end of the handshake. Default 10000. */
  handshakeMs: whole(100, 10 * minute, 10_000),
  /** From there to the `connect` command. Default 10000. */
  connectMs: whole(100, 10 * minute, 10_000),
  /** A peer silent for so long is pinged. Default 30000. */
  pingIdleMs: whole(100, 60 * minute, 30_000),
  /** A peer silent for so long is dropped. Default 60000. */
  dropSilentMs: whole(100, 120 * minute, 60_000),
  /** How long a rejected connection stays open so that the client can read why. Default 1000. */
  rejectLingerMs: whole(0, minute, 1000),
};

/** What a peer may send (RTMP 1.0; the numbers are those that real clients need). */
const messageLimits = {
  /** One audio, video or data message. Default 4 MiB. */
  mediaMessageBytes: whole(64 * KiB, 0xffffff, 4 * MiB),
  /** One command before the connection is accepted. Default 256 KiB. */
  pendingCommandBytes: whole(4 * KiB, 0xffffff, 256 * KiB),
  /** One command or shared-object message after that. Default 1 MiB. */
  commandBytes: whole(4 * KiB, 0xffffff, MiB),
  /** Arguments of `connect` after the command object. Default 64. */
  connectArgs: whole(0, 10_000, 64),
  /** Chunk streams with state per connection. Default 64. */
  chunkStreams: whole(8, 65_600, 64),
  /** Message streams (`createStream`) per connection. Default 64. */
  streamsPerConnection: whole(1, 10_000, 64),
  /** Messages given up for a new one on the same chunk stream; beyond it the chunks are nonsense. Default 3. */
  interruptedMessages: whole(0, 1000, 3),
  /** Messages of unknown type in a row, a sign of lost chunk sync. Default 3. */
  unknownTypesInARow: whole(1, 1000, 3),
  /** Commands with malformed AMF before the connection is closed. Default 3. */
  malformedCommands: whole(0, 1000, 3),
  /** User control messages and acknowledgements a second. Default 1000. */
  controlMessagesPerSecond: whole(10, 1_000_000, 1000),
  /** Nesting of AMF values. Default 64. */
  amfDepth: whole(4, 256, 64),
  /** AMF values in one message. Default 65536. */
  amfValues: whole(64, 16_777_216, 65_536),
};

/** Live streams and their viewers. */
const mediaLimits = {
  /** What may wait for one viewer; beyond it the viewer skips to the next key frame. Default 4 MiB. */
  viewerQueueBytes: whole(64 * KiB, 256 * MiB, 4 * MiB),
  /** A viewer that stays behind for so long is closed. Default 10000. */
  slowViewerMs: whole(100, 10 * minute, 10_000),
  /** The group of pictures kept for late joiners of one stream. Default 16 MiB. */
  gopBytes: whole(64 * KiB, 256 * MiB, 16 * MiB),
};

/** Every bound of the server, flat: `limits.handlerMs`. */
export const limitsSchema = z
  .strictObject({
    ...scriptLimits,
    ...mailboxLimits,
    ...connectionLimits,
    ...messageLimits,
    ...mediaLimits,
  })
  .refine((all) => all.pingIdleMs < all.dropSilentMs, {
    path: ['pingIdleMs'],
    error: 'a number below limits.dropSilentMs, or no ping could be answered in time',
  });

export type Limits = Readonly<z.output<typeof limitsSchema>>;

export const defaultLimits: Limits = Object.freeze(limitsSchema.parse({}));
