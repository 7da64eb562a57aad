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

/** What one instance's script may use. `app.json` may say otherwise for its application. */
const scriptLimits = {
  /** How long one handler may run, its promises' continuations included, before it is stopped. Default 1000. */
  handlerMs: whole(10, 10 * minute, 1000),
  /** How long the top level of a script, and a promise that `onAppStart` returns, may take. Default 5000. */
  startMs: whole(10, 10 * minute, 5000),
  /** Heap of one isolate. Default 64. */
  heapMb: whole(8, 4096, 64),
  /** What a script may hand over to the code that replaces it. Default 16 MiB. */
  stateBytes: whole(64 * KiB, 32 * MiB, 16 * MiB),
  /** Share of one processor over 10 seconds; beyond it the script's turns are spaced out. Default 100. */
  cpuPercent: whole(1, 100, 100),
  /** Timers (`setInterval`, `setTimeout`) at one time. Default 1000. */
  timers: whole(0, 100_000, 1000),
  /** Calls to clients that wait for an answer; one client may have a tenth of them. Default 10000. */
  outstandingCalls: whole(1, 1_000_000, 10_000),
  /** What `trace` and `console` may print, and all instances of an application sixteen times as much; the rest is dropped and counted. Default 64 KiB a second. */
  logBytesPerSecond: whole(KiB, 64 * MiB, 64 * KiB),
  /** Calls of `fetch` under way at one time; beyond it they reject at once. Default 32. */
  fetches: whole(0, 1000, 32),
  /** The body that `fetch` sends, and the decoded body that it brings. Default 1 MiB. */
  fetchBytes: whole(KiB, 4 * MiB, MiB),
  /** How long `fetch` may take from the call to the last byte, redirects included. Default 10000. */
  fetchMs: whole(100, 10 * minute, 10_000),
  /** Connections that a script has to other instances at one time (`NetConnection`). Default 16. */
  outgoingConnections: whole(0, 1000, 16),
  /** How long such a connection may take, from `connect` to the answer of the other side, and each answer about a stream. Default 10000. */
  outgoingConnectMs: whole(100, 10 * minute, 10_000),
  /** Streams that an instance publishes elsewhere at one time (`NetStream`). Default 64. */
  outgoingStreams: whole(0, 10_000, 64),
  /** Files that a script has open at one time. Default 16. */
  openFiles: whole(0, 256, 16),
  /** The size to which a script may write a file, and the most that it reads at once. Default 16 MiB. */
  fileBytes: whole(KiB, 1024 * MiB, 16 * MiB),
};

/** One instance and its clients. `app.json` may say otherwise for its application. */
const instanceLimits = {
  /** Instances of one application; 0 for no limit of its own. Default 0. */
  instancesPerApp: wholeOrOff(100_000, 0),
  /** Files and folders that an application's scripts have made, and not removed, since the server started. Default 1000. */
  files: whole(0, 1_000_000, 1000),
  /** Bytes by which an application's scripts have made its files longer, less what they removed, since the server started. Default 1024 MiB. */
  appFileBytes: whole(0, 1024 * 1024 * MiB, 1024 * MiB),
  /** Clients of one instance; 0 for no limit. Default 0. */
  clientsPerInstance: wholeOrOff(1_000_000, 0),
  /** Clients of one instance that its script has not decided about; more are refused. Default 1000. */
  pendingClients: whole(1, 1_000_000, 1000),
  /** How long a client may stay pending before it is rejected. Default 30000. */
  pendingConnectMs: whole(100, 60 * minute, 30_000),
  /** How long `authorizePublish` and `authorizePlay` may take before the request is refused. Default 10000. */
  authorizeMs: whole(100, 10 * minute, 10_000),
  /** Calls of one client that the script has not answered; beyond it they fail at once. Default 10000. */
  unansweredCalls: whole(1, 1_000_000, 10_000),
  /** Calls of one client; whoever sends more is read more slowly; 0 for no limit. Default 10000 a second. */
  callsPerSecond: wholeOrOff(10_000_000, 10_000),
  /** What one client is sent at most, bytes a second, until its script says otherwise; 0 for no limit. Default 0. */
  bytesPerSecondToClient: wholeOrOff(10_000_000_000, 0),
  /** What one client may send, bytes a second: it is read no faster; 0 for no limit. Default 0. */
  bytesPerSecondToServer: wholeOrOff(10_000_000_000, 0),
  /** The most that a script may allow one of its clients in either direction; 0 for no limit. Default 0. */
  bytesPerSecondCap: wholeOrOff(10_000_000_000, 0),
  /** How long measuring what a client can be sent may take (`checkBandwidth`); 0 for never. Default 2000. */
  bandwidthCheckMs: wholeOrOff(minute, 2000),
  /** What may wait for one client, media included, when the script calls it; beyond it the client is dropped. Default 8 MiB. */
  callQueueBytes: whole(64 * KiB, 256 * MiB, 8 * MiB),
  /** Shared objects of one instance; more are not created. Default 1000. */
  sharedObjects: whole(1, 1_000_000, 1000),
  /** Slots of one shared object; a change that would make more is refused. Default 10000. */
  slots: whole(1, 1_000_000, 10_000),
  /** Name and value of one slot. Default 64 KiB. */
  slotBytes: whole(256, MiB, 64 * KiB),
  /** What all shared objects of one instance hold, and 256 bytes for each of their slots. Default 16 MiB. */
  sharedObjectBytes: whole(64 * KiB, 1024 * MiB, 16 * MiB),
  /** The same for all instances of an application together. Default 512 MiB. */
  appSharedObjectBytes: whole(64 * KiB, 1024 * 1024 * MiB, 512 * MiB),
  /** Persistent shared objects of all instances of an application; more are not created. Default 10000. */
  persistentObjects: whole(0, 10_000_000, 10_000),
  /** What they hold on disk, and 256 bytes for each of their slots. Default 256 MiB. */
  persistentBytes: whole(64 * KiB, 1024 * 1024 * MiB, 256 * MiB),
  /** A lock of a script on a shared object is broken when a client has waited so long for it; 0 for never. Default 0. */
  lockTimeoutMs: wholeOrOff(24 * 60 * minute, 0),
  /** A client for which more waits is told of changes to shared objects later, in one go. Default 1 MiB. */
  sharedObjectQueueBytes: whole(16 * KiB, 256 * MiB, MiB),
  /** How long a recorded stream may get, in milliseconds; 0 for no limit. Default 0. */
  recordingMs: wholeOrOff(2 ** 31 - 1, 0),
  /** How large; 0 for no limit. Default 0. */
  recordingBytes: wholeOrOff(2 ** 50, 0),
  /** Streams of all instances of an application that are recorded at one time, a file each; more are not; 0 for no limit. Default 500. */
  recordings: wholeOrOff(1_000_000, 500),
  /** Streams of all instances of an application whose source is the server (`Stream.play`); more are not; 0 for no limit. Default 500. */
  broadcasts: wholeOrOff(1_000_000, 500),
  /** Deliveries that wait for a busy instance; the sockets that send more are no longer read. Default 4096. */
  mailboxRecords: whole(16, 1_000_000, 4096),
  /** The same in bytes. Default 4 MiB. */
  mailboxBytes: whole(64 * KiB, 256 * MiB, 4 * MiB),
  /** Of several instances one runs new code for so long before the others: if it throws, all go back. 0: all at once. Default 2000. */
  canaryMs: whole(0, minute, 2000),
  /** An instance without clients is unloaded after so long; one that never accepted any, after 5 seconds. Default 1200000 (20 minutes). */
  idleInstanceMs: whole(100, 24 * 60 * minute, 20 * minute),
  /** When `onAppStop` has refused, it is asked again after so long (FMS: AppInstanceGC). Default 60000 (1 minute). */
  gcIntervalMs: whole(100, 24 * 60 * minute, minute),
};

/** The processes that run scripts, and what the supervisor does with them. */
const coreLimits = {
  /** Instances of all applications together. Default 1000. */
  instances: whole(1, 100_000, 1000),
  /** Instances that share one core process. Default 80. */
  instancesPerCore: whole(1, 1000, 80),
  /** Core processes beyond which nobody gets one of its own: new code is tried beside others, suspects share. Default 16. */
  cores: whole(1, 10_000, 16),
  /** Shared cores that instances spread over before they share; 0 for one less than there are processors. Default 0. */
  spreadCores: whole(0, 1000, 0),
  /** Core processes that stand by, started and warm. Default 2. */
  spareCores: whole(0, 16, 2),
  /** Heaps of `heapMb`, 2 MB each, that stand by in the next spare core: as many as the fullest core has instances, at most so many. Default 100. */
  spareHeaps: whole(0, 1000, 100),
  /** The most that a build may measure. Default 16 MiB. */
  codeBytes: whole(64 * KiB, 24 * MiB, 16 * MiB),
  /** How long bundling an application may take; its old code goes on. Default 20000. */
  buildMs: whole(100, 10 * minute, 20_000),
  /** What the bundler's process may measure meanwhile. Default 2048. */
  buildMb: whole(128, 65_536, 2048),
  /** A turn that computes for so much longer than it may cannot be interrupted: its core is killed. Default 250. */
  stuckGraceMs: whole(50, minute, 250),
  /** The neighbours of such a script have so long to move to another core with their state, before. Default 5000. */
  evacuationMs: whole(0, minute, 5000),
  /** How often a core is asked whether it is alive; it has as long again to answer. Default 5000. */
  heartbeatMs: whole(100, 10 * minute, 5000),
  /** A core that has not started by then never will: it is killed. Default 30000. */
  coreStartMs: whole(100, 10 * minute, 30_000),
  /** How often the resident memory of a core that runs turns is read. Default 50. */
  memoryPollMs: whole(10, 10_000, 50),
  /** A core that grows in the turns of one instance, by so much more than twice its heap limit, is killed. Default 512. */
  coreGrowthMb: whole(32, 65_536, 512),
  /** A core that grows by so much within 250 ms of one turn, or by twice its heap limit if that is more, is killed. Default 256. */
  coreBurstMb: whole(16, 65_536, 256),
  /** A core that measures so much is killed, whoever it was. Default 4096. */
  coreMb: whole(256, 1_048_576, 4096),
  /** A core that rests at so much over its first size takes no more instances and goes with its last. Default 1024. */
  coreRetireMb: whole(32, 65_536, 1024),
  /** A core that has held so many instances takes no more, likewise. Default 2000. */
  coreRetireInstances: whole(1, 1_000_000, 2000),
  /** How long an instance whose core died in its turn lives apart from the others, and an application stays on the leash. Default 60000. */
  quarantineMs: whole(0, 24 * 60 * minute, minute),
  /** Deaths of a script within `deathWindowMs` after which its instance is closed. Default 5. */
  deaths: whole(1, 100, 5),
  /** Deaths that lie further back are forgiven. Default 60000. */
  deathWindowMs: whole(1000, 24 * 60 * minute, minute),
  /** Waiting time before the third start, doubled for each further one; the second is at once. Default 1000. */
  backOffMs: whole(0, minute, 1000),
};

/** Sockets and sessions, whatever the transport. */
const connectionLimits = {
  /** Connections of clients, those in tunnels, over WebSocket and who watch over HTTP included. Default 10000. */
  connections: whole(1, 1_000_000, 10_000),
  /** Connections to the HTTP API; each has 10 seconds to ask, once. Default 500. */
  httpConnections: whole(1, 100_000, 500),
  /** Connections from one address; 0 for no limit. Default 0. */
  connectionsPerAddress: wholeOrOff(1_000_000, 0),
  /** Commands that a pending client may send ahead. Default 64. */
  pendingCommands: whole(0, 10_000, 64),
  /** From the first byte to the end of the handshake; with TLS, as long again for that. Default 10000. */
  handshakeMs: whole(100, 10 * minute, 10_000),
  /** From there to the `connect` command. Default 10000. */
  connectMs: whole(100, 10 * minute, 10_000),
  /** A peer silent for so long is pinged. Default 30000. */
  pingIdleMs: whole(100, 60 * minute, 30_000),
  /** A peer silent for so long is dropped. Default 60000. */
  dropSilentMs: whole(100, 120 * minute, 60_000),
  /** A client that neither sends nor is sent anything but control messages for so long is disconnected; 0 for never. Default 0. */
  idleClientMs: wholeOrOff(24 * 60 * minute, 0),
  /** How long a rejected connection stays open so that the client can read why. Default 1000. */
  rejectLingerMs: whole(0, minute, 1000),
};

/** What a peer may send (RTMP 1.0; the numbers are those that real clients need). */
const messageLimits = {
  /** Chunk size of what the server sends. A large one makes few chunks of a frame, and FFmpeg takes it for its own. Default 60000. */
  outChunkBytes: whole(128, 65_536, 60_000),
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
  /** What a viewer that says how far it has played may be sent beyond that; then it skips to the next key frame, too. Default 5000. */
  viewerDelayMs: whole(100, 10 * minute, 5000),
  /** A viewer that stays behind for so long is closed. Default 10000. */
  slowViewerMs: whole(100, 10 * minute, 10_000),
  /** Who wants a name that is taken waits so long for a sign of life of who publishes under it, and else has the name; 0: it is refused at once. Default 2000. */
  publishTimeoutMs: wholeOrOff(minute, 2000),
  /** A publisher that sends nothing for so long is told so, `NetStream.Publish.Idle`, once until it sends again; 0 for never. Default 10000. */
  publishIdleMs: wholeOrOff(60 * minute, 10_000),
  /** Who asks over HTTP for a stream that nobody publishes waits so long for it, and is then told that there is none. Default 30000. */
  httpPlayWaitMs: whole(100, 60 * minute, 30_000),
  /** The group of pictures kept for late joiners of one stream. Default 16 MiB. */
  gopBytes: whole(64 * KiB, 256 * MiB, 16 * MiB),
  /** Recording stops when less of the disk is free, in MB. Default 512. */
  freeDiskMb: wholeOrOff(1_048_576, 512),
  /** What is kept in memory of recorded files that are played, for all their viewers. Default 64 MiB. */
  fileCacheBytes: whole(MiB, 16_384 * MiB, 64 * MiB),
  /** Recorded files that are open; an application has half of what others leave at the most. Default 1000. */
  openMediaFiles: whole(2, 100_000, 1000),
};

/** Every bound of the server, flat: `limits.handlerMs`. */
export const limitsSchema = z
  .strictObject({
    ...scriptLimits,
    ...instanceLimits,
    ...coreLimits,
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

const appShape = { ...scriptLimits, ...instanceLimits };

/** What `app.json` may say of the limits: any of those of one script and one instance. */
export const appLimitsSchema = z.strictObject(
  Object.fromEntries(
    Object.entries(appShape).map(([name, limit]) => [name, limit.unwrap().optional()]),
  ) as Record<keyof typeof appShape, z.ZodOptional<z.ZodInt>>,
);

export const appLimitNames = Object.keys(appShape) as (keyof typeof appShape)[];
