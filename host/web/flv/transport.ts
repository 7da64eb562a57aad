import { CodecSupport } from '../../../wire/codecs.ts';
import { StagewireError } from '../../../wire/errors.ts';
import { encodeFlvHeader } from '../../../wire/flv.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import type { Limits } from '../../base/limits.ts';
import type { BandwidthLimits, Traffic, Transport } from '../../rtmp/ports.ts';
import { SocketWriter } from '../../rtmp/socket-writer.ts';
import { type Answer, LAST_BYTES_MS, type Problem } from './answer.ts';
import type { FlvFormat } from './format.ts';

/** Players look for both, and do without what does not come. */
const FILE_HEADER = encodeFlvHeader({ hasAudio: true, hasVideo: true });

export interface TransportEvents {
  /** What an RTMP client would be told: a command of the server. */
  onCommand(message: RtmpMessage): void;
  /** The first byte is about to be sent. */
  onBegin(): void;
  /** We end the connection, and why. */
  onDrop(error: StagewireError): void;
  /** Called once, whatever ended the connection. */
  onClose(): void;
}

/** A viewer over HTTP: takes audio, video and data as an FLV file without end, and is told nothing. */
export class FlvTransport implements Transport {
  readonly protocol: 'http' | 'ws';
  readonly isSecure: boolean;
  readonly address: string;
  readonly format: FlvFormat;
  readonly traffic: Traffic = {
    bytesIn: 0,
    bytesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    messagesDropped: 0,
    pingMs: 0,
  };
  /** They cannot announce any: such players skip codecs that they do not know, and most know no tracks. */
  codecs = CodecSupport.plain;
  readonly #answer: Answer;
  readonly #events: TransportEvents;
  readonly #out: SocketWriter;
  #hasBegun = false;
  #isEnding = false;
  #isClosed = false;
  /** When media was sent last. */
  activeAt = performance.now();

  constructor(answer: Answer, isSecure: boolean, limits: Limits, events: TransportEvents) {
    const { socket, protocol, format } = answer;
    this.#answer = answer;
    this.#events = events;
    this.protocol = protocol;
    this.format = format;
    this.isSecure = isSecure;
    this.address = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
    this.#out = new SocketWriter(socket, this.traffic);
    socket.setNoDelay(true);
    // Nothing else shows that a viewer of a silent stream is gone.
    socket.setKeepAlive(true, limits.pingIdleMs);
    socket.once('close', () => this.#closed());
  }

  /** Whether the client has heard that there is a stream. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get queuedBytes(): number {
    return this.#out.queuedBytes;
  }

  send(message: RtmpMessage): void {
    if (message.type === MessageType.CommandAmf0) this.#events.onCommand(message);
  }

  write(bytes: Buffer, messages: number, onWritten?: () => void): void {
    if (this.#isClosed || this.#isEnding || bytes.length === 0 || !this.#begin()) {
      onWritten?.();
      return;
    }
    this.traffic.messagesOut += messages;
    this.activeAt = performance.now();
    this.#out.write(bytes, onWritten);
  }

  /** Instead of the stream; nothing else may have been sent. */
  refuse(problem: Problem): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#answer.refuse(problem);
    this.#destroyLater(LAST_BYTES_MS);
  }

  ping(): boolean {
    return true;
  }

  isAlive(): Promise<boolean> {
    return Promise.resolve(!this.#isClosed && !this.#isEnding);
  }

  limitBandwidth({ toClient }: BandwidthLimits): void {
    this.#out.limit(toClient);
  }

  /** It sends nothing; who stopped reading would not notice that it leaves. */
  setReading(): void {}

  accepted(): void {}

  fail(error: unknown): void {
    if (this.#answer.socket.destroyed) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#events.onDrop(error instanceof StagewireError ? error : new StagewireError('E_BUG', 'host', text));
    this.#answer.socket.destroy();
  }

  close(lingerMs: number): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#out.hurry();
    this.#answer.end();
    this.#destroyLater(lingerMs + LAST_BYTES_MS);
  }

  #begin(): boolean {
    if (this.#hasBegun) return true;
    this.#hasBegun = this.#answer.begin(() => this.#out.queuedBytes === 0);
    if (!this.#hasBegun) return false;
    this.#events.onBegin();
    this.#out.write(this.format.wrap(FILE_HEADER));
    return true;
  }

  #destroyLater(ms: number): void {
    setTimeout(() => this.#answer.socket.destroy(), ms).unref();
  }

  #closed(): void {
    this.#isClosed = true;
    this.#out.close();
    this.#events.onClose();
  }
}
