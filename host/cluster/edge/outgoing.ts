import type { RtmpMessage } from '../../../wire/messages.ts';
import { serialize } from '../../rtmp/format.ts';
import type { WireFormat } from '../../rtmp/ports.ts';

/** A live stream on its way to edges: under one number, so that the bytes of a message are the same for all of them. */
export class OutgoingStream {
  readonly number: number;
  /** Edges that have it. */
  users = 0;
  /** The last message that was written, and how: taps are given each message one after the other. */
  #message: RtmpMessage | undefined;
  #format: WireFormat | undefined;
  #bytes: Buffer = NOTHING;

  constructor(number: number) {
    this.number = number;
  }

  /** Nobody may change them. */
  bytesOf(message: RtmpMessage, format: WireFormat): Buffer {
    if (message !== this.#message || format !== this.#format) {
      this.#bytes = serialize(format, message, this.number);
      this.#message = message;
      this.#format = format;
    }
    return this.#bytes;
  }
}

const NOTHING = Buffer.alloc(0);
const MAX_NUMBER = 0xffff_ffff;

/** The streams that any of a server's edges has. */
export class Outgoing {
  readonly #streams = new Map<string, OutgoingStream>();
  #lastNumber = 0;

  /** Until `release`, once for each `take`. */
  take(app: string, instance: string, stream: string): OutgoingStream {
    const key = keyOf(app, instance, stream);
    let outgoing = this.#streams.get(key);
    if (!outgoing) {
      this.#lastNumber = this.#lastNumber === MAX_NUMBER ? 1 : this.#lastNumber + 1;
      outgoing = new OutgoingStream(this.#lastNumber);
      this.#streams.set(key, outgoing);
    }
    outgoing.users++;
    return outgoing;
  }

  release(app: string, instance: string, stream: string): void {
    const key = keyOf(app, instance, stream);
    const outgoing = this.#streams.get(key);
    if (outgoing && --outgoing.users === 0) this.#streams.delete(key);
  }
}

/** Any of them may have a slash. */
function keyOf(...names: string[]): string {
  return JSON.stringify(names);
}
