type Operation =
  | { is: 'append'; bytes: Uint8Array }
  | { is: 'type'; mime: string }
  | { is: 'remove'; startS: number; endS: number };

export interface SourceOwner {
  /** Until when everything was shown, in seconds: it may go when memory is short. */
  shownUntilS(): number;
  /** More can be shown than before. */
  appended(): void;
  /** It cannot go on; `reason` is for people. */
  broken(reason: string): void;
}

/** Appending costs a turn of the browser each time, whatever the size. */
const MAX_APPEND_BYTES = 1 << 20;
const MAX_PENDING_BYTES = 32 << 20;

/** A SourceBuffer does one thing at a time: here the others wait, up to 32 MB. */
export class SourceQueue {
  readonly #buffer: SourceBuffer;
  readonly #owner: SourceOwner;
  #waiting: Operation[] = [];
  #pendingBytes = 0;
  /** Memory was short, and what was shown has gone: if it is short again there is nothing to be done. */
  #isRetry = false;
  #isClosed = false;

  constructor(buffer: SourceBuffer, owner: SourceOwner) {
    this.#buffer = buffer;
    this.#owner = owner;
    buffer.onupdateend = () => {
      this.#isRetry = false;
      this.#run();
      owner.appended();
    };
  }

  get isIdle(): boolean {
    return !this.#buffer.updating && this.#waiting.length === 0;
  }

  get buffered(): TimeRanges {
    return this.#buffer.buffered;
  }

  append(bytes: Uint8Array): void {
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > MAX_PENDING_BYTES) return this.#break('the browser does not take what comes');
    this.#add({ is: 'append', bytes });
  }

  changeType(mime: string): void {
    this.#add({ is: 'type', mime });
  }

  remove(startS: number, endS: number): void {
    this.#add({ is: 'remove', startS, endS });
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#buffer.onupdateend = null;
  }

  #add(operation: Operation): void {
    if (this.#isClosed) return;
    this.#waiting.push(operation);
    this.#run();
  }

  #run(): void {
    // Changing the type completes at once, without an event.
    while (!this.#isClosed && !this.#buffer.updating && this.#waiting.length > 0) {
      const operation = this.#next();
      try {
        this.#begin(operation);
      } catch (error) {
        if (!this.#makeRoom(error, operation)) return this.#break(String(error));
      }
    }
  }

  /** The first operation; appends that follow one another are one. */
  #next(): Operation {
    const first = this.#waiting.shift()!;
    if (first.is !== 'append') return first;
    const pieces = [first.bytes];
    let sizeBytes = first.bytes.length;
    for (let next = this.#waiting[0]; next?.is === 'append'; next = this.#waiting[0]) {
      if (sizeBytes + next.bytes.length > MAX_APPEND_BYTES) break;
      sizeBytes += next.bytes.length;
      pieces.push(next.bytes);
      this.#waiting.shift();
    }
    this.#pendingBytes -= sizeBytes;
    return { is: 'append', bytes: pieces.length === 1 ? first.bytes : joined(pieces, sizeBytes) };
  }

  #begin(operation: Operation): void {
    switch (operation.is) {
      case 'append':
        return this.#buffer.appendBuffer(operation.bytes as Uint8Array<ArrayBuffer>);
      case 'type':
        return this.#buffer.changeType(operation.mime);
      case 'remove':
        return this.#buffer.remove(operation.startS, operation.endS);
    }
  }

  #makeRoom(error: unknown, operation: Operation): boolean {
    const isFull = error instanceof DOMException && error.name === 'QuotaExceededError';
    const until = this.#owner.shownUntilS();
    if (!isFull || this.#isRetry || operation.is !== 'append' || until <= 0) return false;
    this.#isRetry = true;
    this.#pendingBytes += operation.bytes.length;
    this.#waiting.unshift({ is: 'remove', startS: 0, endS: until }, operation);
    return true;
  }

  #break(reason: string): void {
    this.close();
    this.#owner.broken(reason);
  }
}

function joined(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
