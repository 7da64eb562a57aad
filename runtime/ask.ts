import { AskError, decodeAnswer, encodeValues } from './amf.ts';
import { atomicsWait, Bytes, growBuffer, Ints, lengthOf, NativeRangeError, setBytes } from './primordials.ts';
import { ASK_HEADER_BYTES, AskHeader, AskTo, MAX_ASK_BYTES } from './wall/asks.ts';

/** In slices, since only between them can a time limit end a handler that waits. */
const SLICE_MS = 20;
/** The host answers everything within a fraction of this, or has lost the question. */
const MAX_WAIT_MS = 10_000;

let memory: SharedArrayBuffer;
let header: Int32Array;
/** Follows the memory's size. */
let bytes: Uint8Array;
let notify: () => void;
let number = 0;

export function startAsking(shared: SharedArrayBuffer, notifyCore: () => void): void {
  memory = shared;
  header = new Ints(shared, 0, ASK_HEADER_BYTES / 4);
  bytes = new Bytes(shared);
  notify = notifyCore;
}

/** Asks the host and sleeps until it answers. Throws AskError when it refuses, RangeError for what is too large. */
export function ask(name: string, ...args: unknown[]): unknown {
  return decodeAnswer(exchange(AskTo.host, encodeValues([name, args])));
}

/** The same, once the host has done what this turn has sent so far. */
export function askAfterAll(name: string, ...args: unknown[]): unknown {
  return decodeAnswer(exchange(AskTo.hostAfterAll, encodeValues([name, args])));
}

/** The same for what the core itself answers (host/core/answers.ts). */
export function askCore(name: string, args: readonly unknown[]): unknown {
  return decodeAnswer(exchange(AskTo.core, encodeValues([name, args])));
}

/** The code of a part of the runtime. */
export function askForCode(name: string): string {
  return askCore('code', [name]) as string;
}

function exchange(to: number, question: Uint8Array): Uint8Array {
  const length = lengthOf(question);
  if (length > MAX_ASK_BYTES)
    throw new NativeRangeError(
      `the server is asked with at most ${MAX_ASK_BYTES} bytes, and these are ${length}`,
    );
  if (ASK_HEADER_BYTES + length > lengthOf(bytes)) growBuffer(memory, ASK_HEADER_BYTES + length);
  setBytes(bytes, question, ASK_HEADER_BYTES);
  number = (number + 1) | 0;
  header[AskHeader.to] = to;
  header[AskHeader.length] = length;
  header[AskHeader.asked] = number;
  const before = header[AskHeader.answered]!;
  notify();
  for (let waitedMs = 0; waitedMs < MAX_WAIT_MS; waitedMs += SLICE_MS) {
    atomicsWait(header, AskHeader.answered, before, SLICE_MS);
    if (header[AskHeader.answered] !== number) continue;
    const answer = new Bytes(header[AskHeader.length]!);
    setBytes(answer, new Bytes(memory, ASK_HEADER_BYTES, header[AskHeader.length]), 0);
    return answer;
  }
  throw new AskError(`the server did not answer for ${MAX_WAIT_MS} ms`, 'E_ASK');
}
