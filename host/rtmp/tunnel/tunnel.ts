import { TunnelStream } from './tunnel-stream.ts';

/** How long clients wait before they ask again, in units of their own. */
const INTERVALS = [1, 3, 5, 9, 17, 33] as const;
const emptyAnswers = new Map<number, Buffer>(INTERVALS.map((interval) => [interval, Buffer.of(interval)]));
/** So many answers without a byte, and the interval grows. */
const EMPTY_ANSWERS = 10;
/** Bytes of the stream in one answer. */
const MAX_ANSWER = 512 * 1024;
/** Requests that may come before one with a lower number. */
const MAX_AHEAD = 32;
/** Answers that are kept for who lost them; together they measure no more than one may. */
const KEPT_ANSWERS = 8;

export type TunnelRequestKind = 'send' | 'idle' | 'close';

/** Whoever has made one request, and waits for its answer or refusal. */
export interface Asker {
  /** Whether its connection is still there. */
  readonly isOpen: boolean;
  /** `onSent` is called once, when the answer has left the process or never will. */
  answer(body: Buffer, onSent: () => void): void;
  refuse(status: 400 | 404): void;
  /** Another has asked for the same answer: this one's connection is no good. */
  abandon(): void;
}

interface Held {
  kind: TunnelRequestKind;
  body: Buffer;
}

interface Given {
  body: Buffer;
  /** Who has not sent all of it yet. */
  sender: Asker | undefined;
}

/**
 * One client behind HTTP. Its requests are numbered, and come on any of its connections in any order: the bytes that they
 * bring are put in order. What goes back is in the order of the answers that have some, in time and by number.
 */
export class Tunnel {
  readonly stream: TunnelStream;
  readonly #maxBytes: number;
  readonly #maxSilentMs: number;
  /** The number of the request whose bytes are next. */
  #next = 0;
  #hasBytes = false;
  /** It counts from 1, or number 0 has not come yet. */
  #lacksZero = false;
  readonly #held = new Map<number, Held>();
  readonly #askers = new Map<number, Asker>();
  readonly #given = new Map<number, Given>();
  /** The highest number whose answer had bytes. */
  #answeredUpTo = -1;
  /** Of bodies that are announced, held or not yet read. */
  #bodyBytes = 0;
  /** Of answers that have not left the process. */
  #unsentBytes = 0;
  #emptyAnswers = 0;
  #heardAt = performance.now();

  constructor(remoteAddress: string, remotePort: number, maxBytes: number, maxSilentMs: number) {
    this.stream = new TunnelStream(remoteAddress, remotePort);
    this.#maxBytes = maxBytes;
    this.#maxSilentMs = maxSilentMs;
    this.stream.on('close', () => this.#closed());
  }

  /** Open, and its client has not sent a byte. */
  get isUnused(): boolean {
    return !this.#hasBytes && !this.stream.destroyed;
  }

  /** Takes room for a body that is announced; false when there is none. */
  reserve(bytes: number): boolean {
    if (this.#bodyBytes + bytes > this.#maxBytes) return false;
    this.#bodyBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bodyBytes -= bytes;
  }

  /** A whole request; `reserve` has taken room for its body. Only `send` has one. */
  request(kind: TunnelRequestKind, number: number, body: Buffer, asker: Asker): void {
    if (this.stream.destroyed) return asker.refuse(404);
    this.#heardAt = performance.now();
    const isLateZero = number === 0 && this.#lacksZero && !this.#hasBytes;
    if (!isLateZero && (number < this.#next || this.#held.has(number))) {
      this.release(body.length);
      if (kind === 'close') this.#close(asker);
      else this.#repeat(number, asker);
      return;
    }
    if (number > this.#next + MAX_AHEAD) {
      this.release(body.length);
      return asker.refuse(400);
    }
    if (body.length > 0) this.#emptyAnswers = 0;
    this.#askers.set(number, asker);
    if (isLateZero) {
      this.#lacksZero = false;
      return this.#apply(0, { kind, body });
    }
    this.#held.set(number, { kind, body });
    if (kind === 'idle') this.#answer(number);
    if (this.#startsAtOne()) {
      this.#lacksZero = true;
      this.#next = 1;
    }
    for (let held = this.#held.get(this.#next); held; held = this.#held.get(this.#next)) {
      this.#held.delete(this.#next);
      this.#apply(this.#next++, held);
    }
  }

  /** Called about once a second. A connection that is read finds out itself that nobody is there any more. */
  tick(now: number): void {
    if (!this.stream.isPaused() || now - this.#heardAt <= this.#maxSilentMs) return;
    const isAsking = [...this.#askers.values()].some(({ isOpen }) => isOpen);
    if (!isAsking) this.stream.destroy();
  }

  /** Clients count from 0 or from 1. Number 1 is the first if it has no bytes, or those that a handshake begins with. */
  #startsAtOne(): boolean {
    const one = this.#held.get(1);
    if (this.#next > 0 || !one) return false;
    const [version = 3] = one.body;
    return one.kind !== 'send' || (version >= 3 && version < 32);
  }

  #apply(number: number, { kind, body }: Held): void {
    if (kind === 'idle') return this.#answer(number);
    if (body.length > 0) this.#hasBytes = true;
    this.stream.receive(body, () => {
      this.release(body.length);
      // Later: what the client is told at once goes back with this answer.
      setImmediate(() => {
        if (kind === 'send') return this.#answer(number);
        const asker = this.#askers.get(number);
        this.#askers.delete(number);
        if (asker) this.#close(asker);
      });
    });
  }

  #answer(number: number): void {
    const asker = this.#askers.get(number);
    if (!asker) return;
    this.#askers.delete(number);
    const hasTurn = number > this.#answeredUpTo && asker.isOpen;
    const room = hasTurn ? Math.max(0, MAX_ANSWER - this.#unsentBytes) : 0;
    let body: Buffer;
    if (Math.min(room, this.stream.writableLength) > 0) {
      this.#answeredUpTo = number;
      this.#emptyAnswers = 0;
      body = this.stream.take(this.#interval, room);
    } else {
      body = this.#emptyAnswer;
      this.#emptyAnswers++;
    }
    const given: Given = { body, sender: asker };
    this.#keep(number, given);
    this.#unsentBytes += body.length;
    asker.answer(body, () => {
      this.#unsentBytes -= body.length;
      given.sender = undefined;
    });
  }

  /** The request has come before: its answer may have been lost on the way. */
  #repeat(number: number, asker: Asker): void {
    const given = this.#given.get(number);
    const before = this.#askers.get(number);
    if (before) {
      this.#askers.set(number, asker);
      before.answer(this.#emptyAnswer, () => {});
    } else {
      if (given?.sender !== asker) given?.sender?.abandon();
      asker.answer(given?.body ?? this.#emptyAnswer, () => {});
    }
  }

  #keep(number: number, given: Given): void {
    this.#given.set(number, given);
    let bytes = 0;
    for (const { body } of this.#given.values()) bytes += body.length;
    for (const [oldest, { body }] of this.#given) {
      if (this.#given.size <= 1 || (this.#given.size <= KEPT_ANSWERS && bytes <= MAX_ANSWER)) return;
      this.#given.delete(oldest);
      bytes -= body.length;
    }
  }

  #close(asker: Asker): void {
    asker.answer(Buffer.of(0), () => {});
    this.stream.destroy();
  }

  #closed(): void {
    for (const asker of this.#askers.values()) asker.refuse(404);
    this.#askers.clear();
    this.#held.clear();
    this.#given.clear();
  }

  get #emptyAnswer(): Buffer {
    return emptyAnswers.get(this.#interval)!;
  }

  get #interval(): number {
    const step = Math.floor(this.#emptyAnswers / EMPTY_ANSWERS);
    return INTERVALS[Math.min(step, INTERVALS.length - 1)]!;
  }
}
