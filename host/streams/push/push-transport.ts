import { CodecSupport } from '../../../wire/codecs.ts';
import { encodeValues } from '../../../wire/commands.ts';
import type { RtmpMessage } from '../../../wire/messages.ts';
import type { MediaTransport, OutMessage, Transport, WireFormat } from '../../rtmp/ports.ts';

const SET_DATA_FRAME = encodeValues('@setDataFrame');
const formats = new WeakMap<WireFormat, WireFormat>();

/** A connection to another server as one that a viewer's bytes can be sent over: it gets what a publisher sends. */
export class PushTransport implements MediaTransport {
  readonly format: WireFormat;
  /** As encoders do it: who takes the stream knows what it can do with it. */
  readonly codecs = CodecSupport.all;
  readonly marksLoops = true;
  /** What may wait; 0 for no bound of its own. */
  bufferMs: number;
  readonly #to: Transport;
  readonly #pass: (message: RtmpMessage) => void;
  /** When that was written which the other side has not taken, the oldest first. */
  readonly #writtenAt: number[] = [];

  /** `pass`: is told what the stream has for other servers. */
  constructor(to: Transport, bufferMs: number, pass: (message: RtmpMessage) => void) {
    this.#to = to;
    this.bufferMs = bufferMs;
    this.#pass = pass;
    this.format = publisherFormat(to.format);
  }

  get traffic() {
    return this.#to.traffic;
  }

  get queuedBytes(): number {
    return this.#to.queuedBytes;
  }

  get lag(): number {
    const [oldest] = this.#writtenAt;
    return this.bufferMs === 0 || oldest === undefined ? 0 : (performance.now() - oldest) / this.bufferMs;
  }

  write(bytes: Buffer, messages: number, onWritten?: () => void): void {
    this.#writtenAt.push(performance.now());
    this.#to.write(bytes, messages, () => {
      this.#writtenAt.shift();
      onWritten?.();
    });
  }

  send(message: RtmpMessage): void {
    this.#pass(message);
  }

  fail(error: unknown): void {
    this.#to.fail(error);
  }
}

/** Metadata as publishers send it, and times that go on when another source does. */
function publisherFormat(base: WireFormat): WireFormat {
  let format = formats.get(base);
  if (!format) {
    format = {
      ...base,
      name: `${base.name}-publisher`,
      lengthOf: (message) => base.lengthOf(published(message)),
      serializeInto: (target, at, message, streamId) =>
        base.serializeInto(target, at, published(message), streamId),
    };
    formats.set(base, format);
  }
  return format;
}

function published(message: OutMessage): OutMessage {
  const { timestamp, shiftMs = 0, payload, isDataFrame } = message;
  if (isDataFrame)
    return {
      ...message,
      // What a late joiner gets has time 0, wherever the stream is.
      timestamp: Math.max(0, timestamp + shiftMs),
      payload: Buffer.concat([SET_DATA_FRAME, payload]),
    };
  return shiftMs === 0 ? message : { ...message, timestamp: (timestamp + shiftMs) >>> 0 };
}
