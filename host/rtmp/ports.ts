/**
 * What a session needs from its transport below and from the applications above. Interfaces belong to the one who
 * calls them: host/streams and host/apps implement these.
 */
import type { CommandBody } from '../../runtime/wall/fields.ts';
import type { CodecSupport } from '../../wire/codecs.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import type { StatusCode } from '../../wire/status.ts';
import type { StreamName } from '../../wire/stream-name.ts';
import type { AppAddress } from './names.ts';

/** What has crossed a connection so far. Bytes count all that the protocol adds below TCP's. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
  messagesIn: number;
  messagesOut: number;
  /** Media that a slow client did not get. */
  messagesDropped: number;
  /** Of the last ping that was answered, in milliseconds; 0 before. */
  pingMs: number;
}

/** Bytes per second; 0 for no limit. */
export interface BandwidthLimits {
  toClient: number;
  toServer: number;
}

/** A message on its way to clients. */
export interface OutMessage extends RtmpMessage {
  /**
   * Formats whose times must go on when another source does, or one that sets its clock anew, add this to the
   * timestamp. RTMP's viewers are told of a new source and take its times as they are.
   */
  readonly shiftMs?: number;
  /** Data that the stream keeps for those who come later: publishers send it as `@setDataFrame`. Default false. */
  readonly isDataFrame?: boolean;
}

/** How messages become bytes on one kind of transport. */
export interface WireFormat {
  readonly name: string;
  /** How many bytes `serializeInto` writes. */
  lengthOf(message: OutMessage): number;
  /** Writes the message under that message stream id and returns where it ends. The bytes depend on nothing sent before. */
  serializeInto(target: Uint8Array, at: number, message: OutMessage, streamId: number): number;
  /** What stands before messages that are sent together; without it nothing does. */
  readonly envelope?: Envelope;
}

/** The head of a piece of so many bytes. */
export interface Envelope {
  headBytes(size: number): number;
  writeHead(target: Uint8Array, at: number, size: number): void;
}

/**
 * Reads a source of streams once for each window in which they are sent on: what comes in between stays with the operating
 * system and wakes nobody.
 */
export interface WindowReader {
  /** Stops reading. False, and it goes on, when what comes may not wait. */
  pause(): boolean;
  /** The system is to hand over what has come, in this round of the event loop. */
  gather(): void;
  /** Handles what was handed over. Whether there may be more to gather. */
  take(): boolean;
  /** Reads on, as things come. */
  resume(): void;
}

/** Bytes that many are sent. Whoever cannot take all of them at once holds them until it has, and then calls what `hold` gave. */
export interface SharedBytes {
  readonly bytes: Buffer;
  hold(): () => void;
}

/** The short way of shared bytes to a socket: of all that a window costs, the most is one write each for many viewers. */
export interface Lane {
  /** Writes so many messages. False, and nothing is written, when anything waits or comes first: `write` does all of it. */
  pass(shared: SharedBytes, messages: number): boolean;
}

/** A connection's outgoing half and its reading, whatever carries the messages. */
export interface Transport {
  readonly protocol: string;
  readonly isSecure: boolean;
  readonly address: string;
  /** Where the client has gone by the address it opened; undefined when its `connect` says so. */
  readonly place?: AppAddress | undefined;
  /** Transports of one format take the same bytes for the same message and message stream id. */
  readonly format: WireFormat;
  /** Written but not yet taken by the operating system. */
  readonly queuedBytes: number;
  /** Copies the payload; sent together with all else that this round of the event loop sends. */
  send(message: RtmpMessage): void;
  /**
   * So many messages in this transport's format, possibly shared with others: nobody may change the bytes before
   * `onWritten` is called, which happens once, whatever becomes of the connection.
   */
  write(bytes: Buffer, messages: number, onWritten?: () => void): void;
  /** Where there is one. */
  readonly lane?: Lane;
  readonly traffic: Traffic;
  /** What the client can do with codecs beyond those of RTMP 1.0. */
  codecs: CodecSupport;
  /** The client is a server that passes streams on, and tells whether they come back (streams/loop-mark.ts). Default false. */
  marksLoops?: boolean;
  /** Sends a ping; false when the one before it was not answered yet. */
  ping(): boolean;
  /** Whether a byte comes from the peer within that time; it is pinged for it. */
  isAlive(withinMs: number): Promise<boolean>;
  limitBandwidth(limits: BandwidthLimits): void;
  /** Stops and resumes reading from the peer. */
  setReading(isReading: boolean): void;
  /** Where the peer can be read in windows. */
  readonly reader?: WindowReader | undefined;
  /** The client was accepted: larger commands may come. */
  accepted(): void;
  /** Drops the connection and logs why: the peer's fault, or a bug that must not cost anybody else. */
  fail(error: unknown): void;
  /** Sends what is queued, then closes; by force after `lingerMs`. */
  close(lingerMs: number): void;
}

/** What those need of a transport who send media over it. */
export type MediaTransport = Pick<
  Transport,
  'format' | 'queuedBytes' | 'send' | 'write' | 'lane' | 'traffic' | 'codecs' | 'marksLoops' | 'fail'
> & {
  /** How long what is written waits, as a share of how long it may. Default 0. */
  readonly lag?: number;
};

/** The `connect` command, and where it came from. */
export interface ConnectRequest {
  app: string;
  instance: string;
  /** What followed `?` in the command's `app`. */
  query: string;
  uri: string;
  agent: string;
  referrer: string;
  pageUrl: string;
  address: string;
  protocol: string;
  isSecure: boolean;
  /** Whether it connects again when it is asked to (Enhanced RTMP v2). */
  canReconnect: boolean;
  /** Whether it asks for AMF3 or AMF0. */
  objectEncoding: 0 | 3;
  /** The whole command, for `onConnect`'s further arguments. */
  command: CommandBody;
}

/** Why the server itself refuses a client. `NetConnection.Connect.InvalidApp`: there is no such application. */
export interface Refusal {
  code: StatusCode;
  description: string;
  /** It may be otherwise in a moment. */
  isPassing?: boolean;
}

/** Where clients connect to. */
export interface Lobby {
  connect(request: ConnectRequest, client: ClientEnd): Seat | Refusal;
}

/** A client's place in an instance. Nothing is called after `leave`. */
export interface Seat {
  /** `client.id` of the script. */
  readonly id: string;
  /** A method of the script's Client object. `transaction` 0 wants no answer. */
  call(name: string, transaction: number, command: CommandBody): void;
  /** As `call`, but when the script has no such method `onMissing` answers. */
  callOr(name: string, transaction: number, command: CommandBody, onMissing: () => void): void;
  /** The answer to `ClientEnd.invoke`. */
  reply(request: InvokeId, isOk: boolean, command: CommandBody): void;
  openStream(streamId: number, transport: Transport): StreamEnd;
  /** Seconds of a recorded stream; 0 when there is none. */
  streamLength(stream: StreamName): Promise<number>;
  /** Whether a request to play is for a live stream, and if so, whether the client may play it. */
  decidePlay(stream: StreamName, startMs: number): Promise<PlayDecision>;
  /** A message of type 19 or 16. Throws `E_AMF` and the like for a malformed one. */
  sharedObject(message: RtmpMessage): void;
  leave(): void;
}

/** Names one call to a client. Opaque: it goes back with the answer. */
export type InvokeId = object;

/** A call of a method of every client. `args`: AMF0 bytes. */
export interface BroadcastCall {
  method: string;
  args: Uint8Array;
}

/** What an instance does to a client. Everything is sent in the order of the calls. */
export interface ClientEnd {
  accept(): void;
  /** `info`: AMF0 bytes of the whole info object. */
  reject(info: Uint8Array): void;
  /** `value`: AMF0 bytes of one value. */
  result(transaction: number, value: Uint8Array): void;
  error(transaction: number, info: Uint8Array): void;
  /** Calls a method of the client; without `request` nobody waits. `args`: AMF0 bytes. */
  invoke(method: string, request: InvokeId | undefined, args: Uint8Array): void;
  /** Clients of one format take the same bytes for the same message. */
  readonly format: string;
  /** Whether it asked for AMF3 or AMF0 when it connected. */
  readonly objectEncoding: 0 | 3;
  /** A message as bytes for `deliver` of every client of this format. */
  serialize(message: RtmpMessage): Buffer;
  /** Bytes from `serialize`, shared with others: nobody may change them afterwards. */
  deliver(bytes: Buffer, messages: number): void;
  /** Measures what it can be sent, and tells it; nothing while that is under way. */
  checkBandwidth(): void;
  readonly traffic: Traffic;
  ping(): boolean;
  limitBandwidth(limits: BandwidthLimits): void;
  /** Asks it to connect again, to `tcUrl` or, when that is empty, where it is; it is served until it leaves. */
  requestReconnect(tcUrl: string): void;
  setReading(isReading: boolean): void;
  /** Written but not yet taken by the operating system, for this client, media included. */
  readonly queuedBytes: number;
  /** Ends the connection at once, by the client's own fault: the log says why. */
  drop(code: string, text: string): void;
  /** Ends the connection after what was sent before; with a status if one says why. */
  disconnect(why?: Refusal): void;
}

/** For a server that plays live streams in the place of another. Of what is recorded nothing is decided. */
export interface PlayDecision {
  at: 'live' | 'recorded';
  isAllowed: boolean;
  description: string;
  /** Whether the client may read raw samples of them. */
  audio: boolean;
  video: boolean;
}

/** `play` as the client asked for it; times in milliseconds. */
export interface PlayRequest {
  stream: StreamName;
  /** -2000: live or recorded; -1000: live only; from 0 on: recorded only. */
  startMs: number;
  /** -1: to the end; 0: a single frame. */
  durationMs: number;
  /** Plays at once, in the place of what plays now. */
  isReset: boolean;
  /** A recording as fast as it can be sent, not at its own pace. */
  isAtOnce: boolean;
  /** `play2`: takes the place of another item, when that is to play or while it plays. */
  change?: StreamChange | undefined;
}

/** `swap`: of an item that is still to come; `switch`: also of the one that plays, which is the same at another bit rate. */
export interface StreamChange {
  kind: 'swap' | 'switch';
  /** The name of the item that goes; empty for the one that plays. */
  old: string;
}

/** One NetStream of a client: publishes, plays, or does nothing. */
export interface StreamEnd {
  readonly isPublishing: boolean;
  /** What it publishes is there, where it is published. */
  readonly hasBegun: boolean;
  publish(stream: StreamName, mode: string): void;
  play(request: PlayRequest): void;
  /** `positionMs`: where the client is in what it plays, when it says so. */
  pause(isPaused: boolean, positionMs?: number): void;
  seek(positionMs: number): void;
  receive(medium: 'audio' | 'video', isWanted: boolean): void;
  /** The client wants at most so many pictures per second, as far as they can be left out; undefined for all. */
  limitFrames(fps: number | undefined): void;
  /** The client buffers so many milliseconds. */
  setBuffer(bufferMs: number): void;
  /** The client has played up to that timestamp. */
  played(timestamp: number): void;
  /** The client makes key frames of what it publishes when it is asked to. */
  makesKeyFrames(): void;
  /** Audio, video and data of a publisher. */
  media(message: RtmpMessage): void;
  /** `closeStream`: the id may publish or play again. May be called twice. */
  close(): void;
}
