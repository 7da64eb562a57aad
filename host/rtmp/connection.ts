import { CodecSupport } from '../../wire/codecs.ts';
import { StagewireError } from '../../wire/errors.ts';
import {
  controlMessage,
  decodeAcknowledgement,
  decodeWindowAckSize,
  encodeAcknowledgement,
  encodeSetChunkSize,
  isControlType,
  MessageType,
  type RtmpMessage,
} from '../../wire/messages.ts';
import { decodeUserControl, encodeUserControl, UserControlType } from '../../wire/user-control.ts';
import type { Limits } from '../base/limits.ts';
import { Bandwidth } from './bandwidth.ts';
import type { ByteStream } from './byte-stream.ts';
import { ChunkFraming, type Framing, type MessageReader, type MessageWriter } from './framing.ts';
import type { Handshake } from './handshake.ts';
import type { AppAddress } from './names.ts';
import type { BandwidthLimits, Lane, Traffic, Transport, WindowReader, WireFormat } from './ports.ts';
import { SocketWriter } from './socket-writer.ts';
import { WindowReading } from './window-reading.ts';

/** What acknowledgements are sent for at least, whatever the peer asked. */
const ACK_WINDOW = 2_500_000;
/** A script may ask as often as it likes whether its clients are there. */
const LEAST_PING_MS = 500;
/** What servers say of a message that one sends on for the other: texts of a client, as JSON. */
const LINK_HEAD_BYTES = 2 * 1024 * 1024;
/** After a command others are likely to follow, and whoever sends them waits for answers. */
const CALLS_MS = 5000;
/** One read of 64 KB that takes longer is the last in its round of the event loop, which would make 32 in a row. */
const LONG_READ_MS = 2;

/** Who takes the messages of a connection. */
export interface MessageHandler {
  /** The handshake is done, or there is none to do: for those who are the first to say something. */
  onOpen?(): void;
  /** May throw StagewireError: the connection is dropped then. */
  onMessage(message: RtmpMessage): void;
  /** What a server says of a stream that we play. */
  onStreamEvent?(streamId: number, message: RtmpMessage): void;
  /** The client buffers so many milliseconds of a stream. */
  onBuffer(streamId: number, bufferMs: number): void;
  /** The client has played a stream up to that timestamp. */
  onPlayed(streamId: number, timestamp: number): void;
  /** The client, which publishes, makes key frames when it is asked to. */
  onMakesKeyFrames(streamId: number): void;
  /** Nothing but control messages has passed for `idleClientMs`. */
  onIdle(): void;
  /** Called once, whatever ended the connection. */
  onClose(): void;
}

/** What ended a connection from our side, for the log. */
export type OnDrop = (error: StagewireError) => void;

/**
 * RTMP over one socket, tunnel or WebSocket: handshake and chunks where there are any, acknowledgements, pings (RTMP 1.0,
 * sections 5 and 7.1).
 */
export class RtmpConnection implements Transport {
  readonly protocol: string;
  readonly isSecure: boolean;
  readonly address: string;
  readonly format: WireFormat;
  readonly place: AppAddress | undefined;
  readonly traffic: Traffic = {
    bytesIn: 0,
    bytesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    messagesDropped: 0,
    pingMs: 0,
  };
  readonly reader: WindowReader | undefined;
  codecs = CodecSupport.none;
  marksLoops = false;
  readonly #socket: ByteStream;
  readonly #limits: Limits;
  readonly #onDrop: OnDrop;
  readonly #handler: MessageHandler;
  /** Until it is done. */
  #handshake: Handshake | undefined;
  readonly #reader: MessageReader;
  /** What is said in this round of the event loop. */
  readonly #writer: MessageWriter;
  readonly #out: SocketWriter;
  /** The connection's beginning, then the end of its handshake. */
  #waitingSince: number;
  #hasCommand = false;
  readonly #hasChunks: boolean;
  #maxQueued: number;
  #isConnected = false;
  /** The last byte has been written: the peer has a moment to read it. */
  #isEnding = false;
  #isClosed = false;
  #isFlushScheduled = false;
  #isReading = true;
  #heardAt: number;
  /** When a message that is no control message passed last, in either direction, to the second; and since that was noted. */
  #activeAt: number;
  #wasActive = false;
  #pingedAt = 0;
  /** Of the ping that is not answered yet, as sent. */
  #pingSentAt: number | undefined;
  #toServer = new Bandwidth(0, 0);
  #readPause: NodeJS.Timeout | undefined;
  /** Until the peer has closed its side, or had the time for it. */
  #linger: NodeJS.Timeout | undefined;
  /** Bytes that we have told the peer to have read. */
  #toldBytes = 0;
  #ackWindow = ACK_WINDOW;
  /** When the last message came that is neither a control message nor media. */
  #calledAt: number;
  #controlMessages = 0;
  #controlSecond = 0;
  /** Whoever waits for a sign of life. */
  readonly #heard = new Set<() => void>();

  constructor(
    socket: ByteStream,
    isSecure: boolean,
    limits: Limits,
    onDrop: OnDrop,
    makeHandler: (connection: RtmpConnection) => MessageHandler,
    framing: Framing = new ChunkFraming(limits),
    place?: AppAddress,
  ) {
    this.#socket = socket;
    this.#out = new SocketWriter(socket, this.traffic);
    this.#limits = limits;
    // More than media may fill: a viewer that is merely slow is not cut off for a status.
    this.#maxQueued = limits.viewerQueueBytes * 2 + limits.mediaMessageBytes;
    this.#onDrop = onDrop;
    this.isSecure = isSecure;
    this.place = place;
    this.format = framing.format;
    this.protocol = `${framing.protocol}${socket.isTunnel ? 't' : ''}${isSecure ? 's' : ''}`;
    this.address = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
    this.#waitingSince = this.#heardAt = this.#activeAt = this.#calledAt = performance.now();
    this.#hasChunks = framing.hasChunks;
    this.#handshake = framing.handshake;
    this.#writer = framing.writer;
    this.#reader = framing.makeReader((message) => this.#message(message));
    this.#handler = makeHandler(this);
    this.reader = WindowReading.of(socket, {
      isReading: () => this.#isReading && !this.#readPause && !this.#isEnding && !this.#isClosed,
      mayWait: () =>
        this.#heardAt - this.#calledAt > CALLS_MS && this.#heard.size === 0 && this.#pingSentAt === undefined,
      resume: () => this.#readOn(),
    });
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#closed());
    const first = this.#handshake?.start?.();
    if (first) socket.write(first);
  }

  get lane(): Lane {
    return this.#out;
  }

  get queuedBytes(): number {
    // Without a flush to come nothing is there.
    const unsent = this.#isFlushScheduled ? this.#writer.length : 0;
    return this.#out.queuedBytes + unsent;
  }

  send(message: RtmpMessage): void {
    if (this.#isClosed || this.#isEnding) return;
    const queued = this.queuedBytes;
    if (queued > this.#maxQueued) {
      const text = `the other side does not read: ${Math.round(queued)} bytes wait for it`;
      return this.#drop('E_SLOW_READER', text);
    }
    this.traffic.messagesOut++;
    if (!isControlType(message.type)) this.#wasActive = true;
    this.#writer.writeMessage(message);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = this.#out.isHeld = true;
    queueMicrotask(() => this.#flush());
  }

  write(bytes: Buffer, messages: number, onWritten?: () => void): void {
    if (this.#isClosed || this.#isEnding) {
      onWritten?.();
      return;
    }
    this.traffic.messagesOut += messages;
    if (messages > 0) this.#wasActive = true;
    if (this.#isFlushScheduled) {
      // One system call for what was said before and this.
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
      this.#flush();
    }
    this.#out.write(bytes, onWritten);
  }

  setReading(isReading: boolean): void {
    if (this.#isReading === isReading) return;
    this.#isReading = isReading;
    if (!isReading) {
      this.#socket.pause();
      this.#reader.pause();
      return;
    }
    // Later: whoever calls is in the middle of something, and what was kept may pause us again.
    setImmediate(() => {
      if (!this.#isReading || this.#isClosed) return;
      try {
        this.#reader.resume();
      } catch (error) {
        return this.fail(error);
      }
      this.#readOn();
    });
  }

  /** Since the last byte from the peer. */
  get silentMs(): number {
    return performance.now() - this.#heardAt;
  }

  ping(): boolean {
    const wasAnswered = this.#pingSentAt === undefined;
    const now = performance.now();
    if (wasAnswered && (this.#pingedAt === 0 || now - this.#pingedAt >= LEAST_PING_MS)) this.#sendPing(now);
    return wasAnswered;
  }

  isAlive(withinMs: number): Promise<boolean> {
    if (this.#isClosed || this.#isEnding) return Promise.resolve(false);
    // Of one that is not read nothing can be said.
    if (!this.#isReading || this.#readPause) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#heard.delete(heard) && resolve(false), withinMs);
      const heard = () => {
        clearTimeout(timer);
        resolve(true);
      };
      this.#heard.add(heard);
      this.#sendPing(performance.now());
    });
  }

  limitBandwidth({ toClient, toServer }: BandwidthLimits): void {
    this.#toServer = new Bandwidth(toServer, performance.now());
    this.#out.limit(toClient);
    if (!this.#readPause) return;
    clearTimeout(this.#readPause);
    this.#resumeReading();
  }

  accepted(): void {
    this.#isConnected = true;
    this.#reader.limits.maxOtherBytes = this.#limits.commandBytes;
  }

  /** At the other end is a server, with many clients behind it: so much may wait for it, and its messages may be large. */
  becomesLink(queueBytes: number): void {
    this.accepted();
    this.#hasCommand = true;
    this.#maxQueued = queueBytes;
    const { mediaMessageBytes, commandBytes } = this.#limits;
    this.#reader.limits.maxOtherBytes = Math.max(mediaMessageBytes, commandBytes) + LINK_HEAD_BYTES;
  }

  close(lingerMs: number): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#flush();
    // Whoever is sent away hears all of it at once.
    this.#out.hurry();
    this.#isEnding = this.#out.isHeld = true;
    this.#reader.close();
    this.#socket.end();
    // Unread input would make the kernel send a reset, and the peer would lose what we sent last.
    this.#socket.resume();
    this.#linger = setTimeout(() => this.#socket.destroy(), lingerMs + 1000).unref();
  }

  fail(error: unknown): void {
    if (this.#socket.destroyed) return;
    const reason = error instanceof StagewireError ? error : bug(error);
    this.#onDrop(reason);
    this.#reader.close();
    // A limit on the bandwidth may have cut what was said last: nothing can be said behind it.
    if (this.#socket.fail && !this.#out.isPacing) this.#socket.fail(reason);
    else this.#socket.destroy();
  }

  /** The peer has given a sign of life below messages, such as a ping of a WebSocket. */
  heardControl(): void {
    this.#heardAt = performance.now();
    try {
      this.#countControl();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Tells the peer our chunk size, if there are chunks; once, before the first large message. */
  announceChunkSize(): void {
    if (!this.#hasChunks) return;
    this.send(controlMessage(MessageType.SetChunkSize, encodeSetChunkSize(this.#limits.outChunkBytes)));
  }

  /** Called about once a second: enforces the time limits of the handshake and of silence. */
  tick(now: number): void {
    const { handshakeMs, connectMs, pingIdleMs, dropSilentMs, idleClientMs } = this.#limits;
    const waited = now - this.#waitingSince;
    const silent = now - this.#heardAt;
    if (this.#handshake && waited > handshakeMs) {
      return this.#drop('E_HANDSHAKE_TIMEOUT', `no complete handshake after ${handshakeMs} ms`);
    }
    if (!this.#handshake && !this.#hasCommand && waited > connectMs) {
      return this.#drop('E_CONNECT_TIMEOUT', `no connect command ${connectMs} ms after the handshake`);
    }
    if (this.#wasActive || this.#out.hasPassed) this.#activeAt = now;
    this.#wasActive = this.#out.hasPassed = false;
    if (this.#isConnected && idleClientMs > 0 && now - this.#activeAt > idleClientMs) this.#handler.onIdle();
    if (!this.#isReading || this.#readPause)
      this.#heardAt = now; // we are the ones who do not listen
    else if (silent > dropSilentMs) this.#drop('E_SILENT', `no byte for ${Math.round(silent)} ms`);
    else if (this.#isConnected && silent > pingIdleMs && now - this.#pingedAt > pingIdleMs) {
      this.#sendPing(now);
    }
  }

  #sendPing(now: number): void {
    this.#pingedAt = now;
    const sentAt = Math.floor(now) >>> 0;
    this.#pingSentAt = sentAt;
    this.send(
      controlMessage(
        MessageType.UserControl,
        encodeUserControl({ type: UserControlType.PingRequest, sentAt }),
      ),
    );
    // The answer is to be seen when it comes.
    this.#readOn();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    if (this.#isClosed) return;
    this.#heardAt = performance.now();
    if (this.#heard.size > 0) this.#tellHeard();
    this.traffic.bytesIn += bytes.length;
    this.#paceReading(bytes.length);
    try {
      let rest: Uint8Array = bytes;
      if (this.#handshake) {
        const step = this.#handshake.push(rest);
        if (step.send.length > 0) this.#socket.write(step.send);
        if (step.done) this.#opened();
        rest = rest.subarray(step.consumed);
      }
      if (!this.#handshake && rest.length > 0) {
        this.#reader.push(rest);
        this.#acknowledge();
      }
    } catch (error) {
      return this.fail(error);
    }
    if (performance.now() - this.#heardAt > LONG_READ_MS) this.#pauseReading(0);
  }

  #opened(): void {
    this.#handshake = undefined;
    this.#waitingSince = this.#heardAt;
    this.#handler.onOpen?.();
  }

  #tellHeard(): void {
    for (const heard of this.#heard) heard();
    this.#heard.clear();
  }

  /** Reads no more than the client's bandwidth lets it send. */
  #paceReading(bytes: number): void {
    if (this.#toServer.bytesPerSecond === 0) return;
    this.#toServer.spend(bytes);
    const waitMs = this.#toServer.waitMs(this.#heardAt);
    if (waitMs > 0) this.#pauseReading(waitMs);
  }

  #pauseReading(waitMs: number): void {
    if (this.#readPause || this.#isClosed || this.#isEnding) return;
    this.#socket.pause();
    this.#readPause = setTimeout(() => this.#resumeReading(), waitMs);
  }

  #resumeReading(): void {
    this.#readPause = undefined;
    this.#heardAt = performance.now();
    this.#readOn();
  }

  /** Unless it is paused for some reason. */
  #readOn(): void {
    if (this.#isReading && !this.#readPause && !this.#isClosed) this.#socket.resume();
  }

  #message(message: RtmpMessage): void {
    this.traffic.messagesIn++;
    switch (message.type) {
      case MessageType.SetChunkSize:
      case MessageType.Abort:
        return; // the reader has acted on them
      case MessageType.Acknowledgement:
        this.#countControl();
        return this.#acknowledged(message);
      case MessageType.WindowAckSize:
        this.#countControl();
        this.#ackWindow = Math.max(1024, Math.min(ACK_WINDOW, decodeWindowAckSize(message.payload)));
        return;
      case MessageType.SetPeerBandwidth:
        this.#countControl();
        return;
      case MessageType.UserControl:
        this.#countControl();
        return this.#userControl(message);
      default:
        if (message.type === MessageType.CommandAmf0 || message.type === MessageType.CommandAmf3)
          this.#hasCommand = true;
        if (!isMedia(message.type)) this.#calledAt = this.#heardAt;
        this.#wasActive = true;
        this.#handler.onMessage(message);
    }
  }

  /** Of the connection: bytes received. Of a stream, over WebSocket: the timestamp that has been played. */
  #acknowledged({ streamId, payload }: RtmpMessage): void {
    const value = decodeAcknowledgement(payload);
    if (streamId !== 0 && !this.#hasChunks) this.#handler.onPlayed(streamId, value);
  }

  #userControl(message: RtmpMessage): void {
    const control = decodeUserControl(message.payload);
    if (control.type === UserControlType.PingResponse && control.sentAt === this.#pingSentAt) {
      this.#pingSentAt = undefined;
      this.traffic.pingMs = Math.max(1, Math.round(this.#heardAt - this.#pingedAt));
    }
    if (control.type === UserControlType.SetBufferLength)
      this.#handler.onBuffer(control.streamId, control.bufferMs);
    if (control.type === UserControlType.StreamIsRecorded)
      this.#handler.onStreamEvent?.(control.streamId, message);
    if (control.type === UserControlType.KeyFrame) this.#handler.onMakesKeyFrames(control.streamId);
    if (control.type !== UserControlType.PingRequest) return;
    const pong = encodeUserControl({ type: UserControlType.PingResponse, sentAt: control.sentAt });
    this.send(controlMessage(MessageType.UserControl, pong));
  }

  #countControl(): void {
    const second = Math.floor(this.#heardAt / 1000);
    if (second !== this.#controlSecond) {
      this.#controlSecond = second;
      this.#controlMessages = 0;
    }
    if (++this.#controlMessages > this.#limits.controlMessagesPerSecond) {
      throw new StagewireError(
        'E_CONTROL_FLOOD',
        'peer',
        `${this.#controlMessages} control messages in one second`,
      );
    }
  }

  #acknowledge(): void {
    const received = this.#reader.pushedBytes;
    if (received - this.#toldBytes < this.#ackWindow / 2) return;
    this.#toldBytes = received;
    this.send(controlMessage(MessageType.Acknowledgement, encodeAcknowledgement(received % 2 ** 32)));
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    this.#out.isHeld = this.#isEnding;
    if (this.#writer.length > 0) this.#out.write(this.#writer.take());
  }

  #drop(code: string, text: string): void {
    this.fail(new StagewireError(code, 'peer', text));
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#out.close();
    clearTimeout(this.#readPause);
    clearTimeout(this.#linger);
    this.#reader.close();
    this.#handler.onClose();
  }
}

function isMedia(type: number): boolean {
  return (
    type === MessageType.Audio ||
    type === MessageType.Video ||
    type === MessageType.DataAmf0 ||
    type === MessageType.DataAmf3 ||
    type === MessageType.Aggregate
  );
}

function bug(error: unknown): StagewireError {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new StagewireError('E_BUG', 'host', text);
}
