import { walkAmf0 } from '../../wire/amf-walk.ts';
import { CapsEx, forwardsAll } from '../../wire/codecs.ts';
import {
  type CommandHead,
  commandMessage,
  encodeCommand,
  encodeCommandAround,
  readCommandHead,
} from '../../wire/commands.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import { status } from '../../wire/status.ts';
import type { AmfLimits, AmfValue } from '../../wire/values.ts';
import { StagewireError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import type { ByteStream } from '../rtmp/byte-stream.ts';
import { type MessageHandler, RtmpConnection } from '../rtmp/connection.ts';
import type { Framing } from '../rtmp/framing.ts';
import type { Transport } from '../rtmp/ports.ts';
import type { Link, LinkOwner, LinkRequest, OnAnswer } from './link.ts';

const TICK_MS = 1000;
/** Of `connect`: the first that anybody sends. */
const CONNECT = 1;
/** What a server says of itself to another (`client.agent` there). */
const AGENT = 'Stagewire';
/** Answers to what nobody has asked, and the like, that are overlooked. */
const MAX_MALFORMED = 10;
/** Calls of the server itself that are not answered: more are not sent. */
const MAX_ASKED = 1000;

/** Over a stream that is open: handshake, `connect`, then calls both ways (RTMP 1.0, section 7.2.1). */
export class RtmpLink implements Link, MessageHandler {
  readonly #connection: RtmpConnection;
  readonly #owner: LinkOwner;
  readonly #request: LinkRequest;
  readonly #amfLimits: AmfLimits;
  /** By transaction: the script's number of its request, or who asked. */
  readonly #requests = new Map<number, number | OnAnswer>();
  readonly #lingerMs: number;
  readonly #ticker: NodeJS.Timeout;
  #nextTransaction = CONNECT + 1;
  #asked = 0;
  #isAccepted = false;
  #isOver = false;
  #malformed = 0;
  /** Why we gave it up. */
  #fault = '';

  constructor(
    stream: ByteStream,
    framing: Framing,
    isSecure: boolean,
    request: LinkRequest,
    limits: Limits,
    owner: LinkOwner,
  ) {
    this.#request = request;
    this.#owner = owner;
    this.#amfLimits = { depth: limits.amfDepth, values: limits.amfValues };
    this.#lingerMs = limits.rejectLingerMs;
    this.#connection = new RtmpConnection(
      stream,
      isSecure,
      limits,
      (error) => {
        this.#fault = error.message;
      },
      () => this,
      framing,
    );
    this.#ticker = setInterval(() => this.#connection.tick(performance.now()), TICK_MS);
    if (!framing.handshake) this.onOpen();
  }

  invoke(method: string, request: number, args: Uint8Array): void {
    if (this.#isOver) return;
    let transaction = 0;
    if (request !== 0) {
      transaction = this.#nextTransaction++;
      this.#requests.set(transaction, request);
    }
    this.#send(encodeCommandAround(method, transaction, args));
  }

  ask(method: string, args: readonly AmfValue[], onAnswer?: OnAnswer): void {
    if (this.#isOver || (onAnswer && this.#asked >= MAX_ASKED)) return onAnswer?.(false, undefined);
    const transaction = this.#nextTransaction++;
    if (onAnswer) {
      this.#asked++;
      this.#requests.set(transaction, onAnswer);
    }
    this.#send(encodeCommand(method, transaction, null, ...args));
  }

  send(message: RtmpMessage): void {
    if (!this.#isOver) this.#connection.send(message);
  }

  get objectEncoding(): 0 | 3 {
    return this.#request.objectEncoding;
  }

  get queuedBytes(): number {
    return this.#connection.queuedBytes;
  }

  get transport(): Transport {
    return this.#connection;
  }

  answer(transaction: number, isOk: boolean, values: Uint8Array): void {
    if (!this.#isOver) this.#send(encodeCommandAround(isOk ? '_result' : '_error', transaction, values));
  }

  setReading(isReading: boolean): void {
    this.#connection.setReading(isReading);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.close(this.#lingerMs);
    this.#giveUp();
  }

  onOpen(): void {
    this.#connection.announceChunkSize();
    const { app, instance, query, uri, objectEncoding, canReconnect, referrer, args } = this.#request;
    const place = instance === '' ? app : `${app}/${instance}`;
    const object = {
      app: query === '' ? place : `${place}?${query}`,
      flashVer: AGENT,
      swfUrl: referrer,
      tcUrl: uri,
      fpad: false,
      capabilities: 239,
      audioCodecs: 0x0fff,
      videoCodecs: 0x00ff,
      videoFunction: 1,
      pageUrl: referrer,
      objectEncoding,
      // Streams go through as they are.
      capsEx: CapsEx.Multitrack | CapsEx.ModEx | (canReconnect ? CapsEx.Reconnect : 0),
      ...forwardsAll,
      // Other servers of this kind tell us whether their streams come from us (broadcast/loop-mark.ts).
      marksLoops: true,
    };
    const head = encodeCommand('connect', CONNECT, object);
    const body = new Uint8Array(head.length + args.length);
    body.set(head);
    body.set(args, head.length);
    this.#send(body);
  }

  onMessage(message: RtmpMessage): void {
    if (this.#isOver) return;
    if (message.type !== MessageType.CommandAmf0 && message.type !== MessageType.CommandAmf3) {
      if (this.#isAccepted) this.#owner.message(message);
      return;
    }
    let head: CommandHead | undefined;
    try {
      head = readCommandHead(message);
      walkAmf0(message.payload, head.valuesAt, message.payload.length, this.#amfLimits);
    } catch (error) {
      if (!(error instanceof StagewireError) || ++this.#malformed > MAX_MALFORMED) throw error;
      if (head && isAnswer(head)) this.#unreadable(head, error);
      return;
    }
    this.#command(head, message);
  }

  onStreamEvent(streamId: number, message: RtmpMessage): void {
    if (this.#isAccepted && !this.#isOver) this.#owner.message({ ...message, streamId });
  }

  onBuffer(): void {}
  onPlayed(): void {}
  onMakesKeyFrames(): void {}
  onIdle(): void {}

  onClose(): void {
    clearInterval(this.#ticker);
    this.#owner.gone();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#giveUp();
    const why = this.#fault;
    if (this.#isAccepted) this.#owner.ended(why);
    else
      this.#owner.failed(
        'NetConnection.Connect.Failed',
        why || 'The other server has closed the connection.',
      );
  }

  /** Whoever waits for an answer, of the server itself: the script's requests are its owner's. */
  #giveUp(): void {
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const request of requests) if (typeof request === 'function') request(false, undefined);
  }

  /** An answer that says nothing: whoever waits for it hears why. */
  #unreadable({ transaction }: CommandHead, error: StagewireError): void {
    if (transaction === CONNECT) {
      if (this.#isAccepted) return;
      throw new StagewireError(error.code, 'peer', `its answer to connect cannot be read: ${error.message}`);
    }
    const info = status('NetConnection.Call.Failed', `The answer cannot be read: ${error.message}.`);
    const message = commandMessage(encodeCommand('_error', transaction, null, info));
    this.#command(readCommandHead(message), message);
  }

  #command({ name, transaction }: CommandHead, message: RtmpMessage): void {
    const command = { type: message.type, body: message.payload };
    const isOk = name === '_result';
    if (isAnswer({ name })) {
      if (transaction === CONNECT) return this.#connected(isOk, command);
      const request = this.#requests.get(transaction);
      this.#requests.delete(transaction);
      if (typeof request === 'function') {
        this.#asked--;
        request(isOk, command);
      } else if (request !== undefined) this.#owner.replied(request, isOk, command);
    } else if (name === 'onStatus') {
      if (message.streamId === 0) this.#owner.status(command);
      else if (this.#isAccepted) this.#owner.message(message);
    } else if (name === 'close') {
      this.#connection.close(0);
    } else if (this.#isAccepted) {
      this.#owner.called(name, transaction, command);
    }
  }

  #connected(isOk: boolean, command: { type: number; body: Uint8Array }): void {
    if (this.#isAccepted) return;
    if (isOk) {
      this.#isAccepted = true;
      this.#connection.accepted();
      return this.#owner.accepted(command);
    }
    this.#isOver = true;
    this.#connection.close(0);
    this.#owner.refused(command);
  }

  #send(body: Uint8Array): void {
    this.#connection.send(commandMessage(body));
  }
}

function isAnswer({ name }: { name: string }): boolean {
  return name === '_result' || name === '_error';
}
