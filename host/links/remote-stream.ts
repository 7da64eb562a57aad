import { decodeCommandValues, decodeValues, encodeCommand } from '../../wire/commands.ts';
import { StagewireError } from '../../wire/errors.ts';
import { controlMessage, MessageType, type RtmpMessage, splitAggregate } from '../../wire/messages.ts';
import { encodeUserControl, UserControlType } from '../../wire/user-control.ts';
import type { AmfLimits, AmfValue } from '../../wire/values.ts';
import type { Link, LinkPlace, LinkUser } from './link.ts';

/** What the other side says of a stream (RTMP 1.0, section 7.2.2). */
export interface RemoteStatus {
  code: string;
  level: string;
  description: string;
}

export interface RemoteStreamOwner {
  /** The connection is there; what is asked of it now comes before `createStream`. */
  opening?(link: Link): void;
  /** The other side has made the stream. */
  opened(): void;
  status(status: RemoteStatus): void;
  /** Audio, video and data, in order. */
  media(message: RtmpMessage): void;
  /** The other side says that what it plays is a recording. */
  recorded?(): void;
  /** It never was, or is no more, and why. Nothing is told afterwards. */
  failed(why: string): void;
}

/** Of a status: what is longer is of no use to anybody. */
const STATUS_LIMITS: AmfLimits = { depth: 16, values: 256 };
const MAX_TEXT = 1000;

/** One message stream of a connection to another server: made there by `createStream`, used, and deleted. */
export class RemoteStream implements LinkUser {
  readonly outlivesScript = true;
  /** Of the message stream; 0 before there is one. */
  id = 0;
  link: Link | undefined;
  readonly #place: LinkPlace;
  readonly #owner: RemoteStreamOwner;
  readonly #patienceMs: number;
  #patience: NodeJS.Timeout | undefined;
  #isOver = false;

  /** `patienceMs`: for the answer to `createStream`. */
  constructor(place: LinkPlace, owner: RemoteStreamOwner, patienceMs: number) {
    this.#place = place;
    this.#owner = owner;
    this.#patienceMs = patienceMs;
  }

  /** Later, as a connection that is over says so at once: a long list of such streams would be as deep. */
  start(): void {
    queueMicrotask(() => {
      if (!this.#isOver) this.#place.join(this);
    });
  }

  opened(link: Link): void {
    if (this.#isOver || this.link) return;
    this.link = link;
    this.expect('createStream');
    this.#owner.opening?.(link);
    link.ask('createStream', [], (isOk, command) => {
      // Of a connection that has ended, `ended` says so first.
      if (!command) return queueMicrotask(() => this.#fail('the other side does not answer'));
      const { type, body } = command;
      this.#made(isOk, { type, streamId: 0, timestamp: 0, payload: body });
    });
  }

  /** An answer has to come in time, or the stream is given up. */
  expect(what: string): void {
    clearTimeout(this.#patience);
    const why = `no answer to ${what} within ${this.#patienceMs} ms (limits.outgoingConnectMs)`;
    this.#patience = setTimeout(() => this.#fail(why), this.#patienceMs);
  }

  /** It has come. */
  heard(): void {
    clearTimeout(this.#patience);
  }

  /** A command of the stream, such as `play`. */
  command(name: string, ...args: readonly AmfValue[]): void {
    this.send(MessageType.CommandAmf0, encodeCommand(name, 0, null, ...args));
  }

  send(type: number, payload: Uint8Array, timestamp = 0): void {
    if (this.id !== 0) this.link?.send({ type, streamId: this.id, timestamp, payload });
  }

  /** How much of what it plays is buffered here. */
  setBuffer(bufferMs: number): void {
    if (this.id === 0) return;
    const event = { type: UserControlType.SetBufferLength, streamId: this.id, bufferMs };
    this.link?.send(controlMessage(MessageType.UserControl, encodeUserControl(event)));
  }

  message(message: RtmpMessage): void {
    if (this.#isOver || this.id === 0 || message.streamId !== this.id) return;
    switch (message.type) {
      case MessageType.CommandAmf0:
      case MessageType.CommandAmf3:
        return this.#status(message);
      case MessageType.UserControl:
        return this.#owner.recorded?.();
      case MessageType.Aggregate:
        for (const part of splitAggregate(message)) this.message(part);
        return;
      case MessageType.Audio:
      case MessageType.Video:
      case MessageType.DataAmf0:
      case MessageType.DataAmf3:
        return this.#owner.media(message);
    }
  }

  ended(): void {
    this.#fail('the connection is closed');
  }

  /** Nothing is told afterwards. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#patience);
    if (this.id !== 0) this.link?.ask('deleteStream', [this.id]);
    this.#place.leave(this);
  }

  #fail(why: string): void {
    if (this.#isOver) return;
    this.close();
    this.#owner.failed(why);
  }

  #made(isOk: boolean, message: RtmpMessage): void {
    let id: AmfValue;
    try {
      [id] = decodeCommandValues(message, STATUS_LIMITS, 1).args;
    } catch (error) {
      if (!(error instanceof StagewireError)) throw error;
    }
    if (!isOk) return this.#fail('the other side makes no stream for it');
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 1 || id > 0xffff_ffff)
      return this.#fail(`the other side has answered createStream with ${shownId(id)}`);
    // Too late: nobody wants it any more.
    if (this.#isOver) return this.link?.ask('deleteStream', [id]);
    this.heard();
    this.id = id;
    this.#owner.opened();
  }

  #status(message: RtmpMessage): void {
    let info: AmfValue;
    try {
      [, , , info] = decodeValues(message, STATUS_LIMITS, 4);
    } catch (error) {
      if (error instanceof StagewireError) return; // nobody can say what it means
      throw error;
    }
    if (typeof info !== 'object' || info === null) return;
    const text = (name: string): string => {
      const value: unknown = Reflect.get(info, name);
      return typeof value === 'string' ? value.slice(0, MAX_TEXT) : '';
    };
    this.#owner.status({ code: text('code'), level: text('level'), description: text('description') });
  }
}

function shownId(id: AmfValue): string {
  return typeof id === 'number' ? String(id) : typeof id;
}
