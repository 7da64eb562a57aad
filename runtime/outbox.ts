import { ByteWriter } from '../wire/bytes.ts';
import { ValueEncoder } from './amf.ts';
import { growBuffer, lengthOf, NativeRangeError, setBytes } from './primordials.ts';
import { Header } from './wall/boot.ts';
import { type Command, encodeCommand, encodeResult, LOG_LEVELS } from './wall/commands.ts';

/** Room that only answers and verdicts may use: whatever a handler sends, its caller hears how it ended. */
const RESERVE_BYTES = 256 * 1024;

// The wall looks a level up with `indexOf`: that of its list is its own.
Object.defineProperty(LOG_LEVELS, 'indexOf', { value: Array.prototype.indexOf });

/**
 * Where commands leave the isolate: an output buffer shared with the core, which empties it after each entry. It
 * grows to its maximum when a turn needs it. A handler that calls clients beyond that gets a RangeError; what it
 * prints beyond that is dropped and counted.
 */
export class Outbox {
  readonly #header: Int32Array;
  readonly #buffer: SharedArrayBuffer;
  readonly #output: Uint8Array; // follows the buffer's length
  readonly #most: number;
  /** What one entry may print: the host would only throw away the rest. */
  readonly #mostPrinted: number;
  #printed = 0;
  readonly #mostArguments: number;
  #capacity: number;
  readonly #record = new ByteWriter(1024);
  readonly #result = new ByteWriter(1024);
  readonly #values = new ValueEncoder(this.#result);
  #isEncoding = false;
  #dropped = 0;

  constructor(header: Int32Array, buffer: SharedArrayBuffer, mostPrinted: number, mostArguments: number) {
    this.#mostArguments = mostArguments;
    this.#header = header;
    this.#buffer = buffer;
    this.#output = new Uint8Array(buffer);
    this.#most = buffer.maxByteLength;
    this.#mostPrinted = mostPrinted;
    this.#capacity = buffer.byteLength;
  }

  /** `member` is what the script called, for what is thrown at it. */
  send(command: Command, member = ''): void {
    const { kind } = command;
    if (kind === 'invoke' || kind === 'broadcast') this.#checkArguments(member, command.method, command.args);
    else if (kind === 'stream-send') this.#checkArguments(member, command.stream, command.values);
    const isPrinted = kind === 'log' || kind === 'script-error';
    if (isPrinted && this.#dropped > 0 && !this.#reportDropped()) {
      this.#dropped++;
      return;
    }
    const isReserved =
      isPrinted ||
      kind === 'invoke' ||
      kind === 'broadcast' ||
      kind === 'share' ||
      kind === 'stream-send' ||
      kind === 'stream-set' ||
      kind === 'fetch' ||
      kind === 'charge';
    if (this.#writeCommand(command, isReserved ? RESERVE_BYTES : 0, isPrinted)) return;
    if (kind === 'charge') return; // the account is a little short
    if (!isPrinted) throw this.#isFull(member);
    this.#dropped++;
  }

  #checkArguments(member: string, receiver: string, args: Uint8Array): void {
    const bytes = lengthOf(args);
    if (bytes > this.#mostArguments)
      throw new NativeRangeError(
        `${member}: ${receiver}: its arguments measure ${bytes} bytes, and ${this.#mostArguments} may be sent at once`,
      );
  }

  /**
   * The answer to a call, encoded where it leaves from: a tenth of what a call costs is copying its answer. Throws for
   * what AMF cannot say.
   */
  sendResult(call: number, value: unknown): void {
    if (this.#isEncoding) throw new NativeRangeError('an answer is being encoded');
    const record = this.#result;
    record.truncate(0);
    this.#isEncoding = true;
    try {
      encodeResult(record, call, () => this.#values.append(value));
    } finally {
      this.#isEncoding = false;
    }
    if (!this.#write(record, 0, false)) throw this.#isFull('');
  }

  #isFull(member: string): RangeError {
    const where = member === '' ? '' : `${member}: `;
    return new NativeRangeError(`${where}one turn may send ${this.#most} bytes, and this one sent more`);
  }

  #reportDropped(): boolean {
    const text = `${this.#dropped} lines were not printed: one turn printed too much`;
    const isWritten = this.#writeCommand({ kind: 'log', level: 'warn', text }, RESERVE_BYTES, true);
    if (isWritten) this.#dropped = 0;
    return isWritten;
  }

  #writeCommand(command: Command, reserve: number, isPrinted: boolean): boolean {
    const record = this.#record;
    record.truncate(0);
    encodeCommand(record, command);
    return this.#write(record, reserve, isPrinted);
  }

  /** False when there is no room that leaves `reserve` bytes free, or when enough was printed. */
  #write(record: ByteWriter, reserve: number, isPrinted: boolean): boolean {
    const used = this.#header[Header.outputLength]!;
    if (used === 0) this.#printed = 0; // another entry
    if (isPrinted && this.#printed + record.length > this.#mostPrinted) return false;
    const needed = used + record.length;
    if (needed + reserve > this.#most) return false;
    if (needed > this.#capacity) {
      const doubled = this.#capacity * 2;
      const wanted = needed > doubled ? needed : doubled;
      this.#capacity = wanted < this.#most ? wanted : this.#most;
      growBuffer(this.#buffer, this.#capacity);
    }
    setBytes(this.#output, record.view, used);
    if (isPrinted) this.#printed += record.length;
    this.#header[Header.outputLength] = needed;
    return true;
  }
}
