import { ByteWriter } from '../wire/bytes.ts';
import { setBytes } from './primordials.ts';
import { type Command, encodeCommand, Header } from './protocol.ts';

/**
 * Where commands leave the isolate: an output buffer shared with the core, which empties it after each entry. It
 * grows to its maximum when a turn needs it; a handler that sends more than that in one turn gets a RangeError.
 */
export class Outbox {
  readonly #header: Int32Array;
  readonly #buffer: SharedArrayBuffer;
  readonly #output: Uint8Array; // follows the buffer's length
  readonly #record = new ByteWriter(1024);

  constructor(header: Int32Array, buffer: SharedArrayBuffer) {
    this.#header = header;
    this.#buffer = buffer;
    this.#output = new Uint8Array(buffer);
  }

  send(command: Command): void {
    const record = this.#record;
    record.truncate(0);
    encodeCommand(record, command);

    const used = this.#header[Header.outputLength]!;
    const needed = used + record.length;
    if (needed > this.#output.length) this.#grow(needed);
    setBytes(this.#output, record.view, used);
    this.#header[Header.outputLength] = needed;
  }

  #grow(needed: number): void {
    const most = this.#buffer.maxByteLength;
    if (needed > most) {
      throw new RangeError(`one turn may send ${most} bytes to the host, and this one sent more`);
    }
    this.#buffer.grow(Math.min(most, Math.max(needed, this.#output.length * 2)));
  }
}
