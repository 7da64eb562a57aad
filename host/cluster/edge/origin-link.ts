import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { describeError, StagewireError } from '../../base/errors.ts';
import type { Limits } from '../../base/limits.ts';
import { RtmpConnection } from '../../rtmp/connection.ts';
import { ChunkFraming } from '../../rtmp/framing.ts';
import { ClientHandshake } from '../../rtmp/handshake.ts';
import { EDGE_VERSION, LINK_BYTES } from './edge-port.ts';
import {
  type Control,
  controlMessage,
  type Downward,
  EdgeType,
  readDownward,
  type Upward,
} from './messages.ts';
import { isProof, makeNonce, proofOf } from './secret.ts';
import { decodeForMany } from './shared-bytes.ts';

export interface OriginAddress {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

export interface LinkOptions {
  readonly address: OriginAddress;
  readonly secret: string;
  readonly name: string;
  /** Of this process. */
  readonly run: string;
  readonly limits: Limits;
}

/** Who has the link. After `down` another is to be made. */
export interface LinkEvents {
  /** The origin has let it in. `via`: the servers from there to the origin of all. */
  up(welcome: { server: string; via: readonly string[] }): void;
  control(control: Control<Downward>): void;
  /** Messages for each of them, as bytes. */
  toClients(clients: readonly number[], bytes: Uint8Array): void;
  /** Media of a stream that is carried. */
  media(message: RtmpMessage): void;
  /** Called once, also when it never came up. */
  down(why: string): void;
}

const TICK_MS = 250;
const PING_MS = 1000;
/** The origin is asked for a sign of life every second: without one for so long it is gone. */
const SILENT_MS = 4000;
const OPEN_MS = 5000;

/** One connection of an edge to its origin, from the first byte to the end. */
export class OriginLink {
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #nonce = makeNonce();
  readonly #ticker: NodeJS.Timeout;
  readonly #beganAt = performance.now();
  readonly #socket: Socket;
  #connection: RtmpConnection | undefined;
  #originNonce = '';
  #isUp = false;
  #isDown = false;
  #pingedAt = 0;

  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    const { host, port, isSecure } = options.address;
    const isReady = isSecure ? 'secureConnect' : 'connect';
    this.#socket = isSecure
      ? connectTls({ host, port, servername: isIP(host) === 0 ? host : '' })
      : connect({ host, port });
    this.#socket.once('error', (error) => this.#end(describeError(error)));
    this.#socket.once('close', () => this.#end('the connection was closed'));
    this.#socket.once(isReady, () => this.#opened());
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  get queuedBytes(): number {
    return this.#connection?.queuedBytes ?? 0;
  }

  /** From here to there and back; 0 before it was measured. */
  get pingMs(): number {
    return this.#connection?.traffic.pingMs ?? 0;
  }

  tell(op: Upward, id: number, bytes?: Uint8Array): void {
    this.#connection?.send(controlMessage(op, id, bytes));
  }

  send(message: RtmpMessage): void {
    this.#connection?.send(message);
  }

  close(): void {
    this.#isDown = true;
    clearInterval(this.#ticker);
    if (this.#connection) this.#connection.close(0);
    else this.#socket.destroy();
  }

  #opened(): void {
    const { limits } = this.#options;
    const patient: Limits = {
      ...limits,
      handshakeMs: OPEN_MS,
      connectMs: OPEN_MS,
      idleClientMs: 0,
      pingIdleMs: PING_MS,
      dropSilentMs: SILENT_MS,
      controlMessagesPerSecond: Number.MAX_SAFE_INTEGER,
    };
    const connection = new RtmpConnection(
      this.#socket,
      this.#options.address.isSecure,
      patient,
      (error) => this.#end(error.message),
      () => ({
        onOpen: () => this.#greet(),
        onMessage: (message) => this.#message(message),
        onBuffer: () => {},
        onPlayed: () => {},
        onMakesKeyFrames: () => {},
        onIdle: () => {},
        onClose: () => this.#end('the connection was closed'),
      }),
      new ChunkFraming(patient, new ClientHandshake()),
    );
    this.#connection = connection;
  }

  #greet(): void {
    const { name, run } = this.#options;
    this.#connection?.announceChunkSize();
    this.tell({ op: 'hello', version: EDGE_VERSION, name, run, nonce: this.#nonce }, 0);
  }

  #message(message: RtmpMessage): void {
    if (this.#isDown) return;
    const { type, streamId, payload } = message;
    if (type === EdgeType.Control) return this.#control(this.#read(message));
    if (!this.#isUp) {
      if (type !== MessageType.CommandAmf0) return;
      throw new StagewireError('E_EDGE', 'peer', 'the other side is no Stagewire that takes edges');
    }
    if (type === EdgeType.ToClient) this.#events.toClients([streamId], payload);
    else if (type === EdgeType.ToClients) {
      const { clients, bytes } = decodeForMany(payload);
      this.#events.toClients(clients, bytes);
    } else this.#events.media(message);
  }

  /** What cannot be read of what is for one client costs that one. */
  #read(message: RtmpMessage): Control<Downward> {
    try {
      return readDownward(message);
    } catch (error) {
      if (!this.#isUp || message.streamId === 0 || !(error instanceof StagewireError)) throw error;
      const op: Downward = { op: 'drop', code: error.code, text: error.message };
      return { id: message.streamId, op, bytes: new Uint8Array(0) };
    }
  }

  #control(control: Control<Downward>): void {
    const { op } = control;
    if (op.op === 'no') return this.#end(op.why);
    if (this.#isUp) return this.#events.control(control);
    const { secret, name } = this.#options;
    if (op.op === 'challenge') {
      this.#originNonce = op.nonce;
      const nonces = { edge: this.#nonce, origin: op.nonce };
      return this.tell({ op: 'proof', proof: proofOf('edge', secret, nonces, name) }, 0);
    }
    if (op.op !== 'welcome')
      throw new StagewireError('E_EDGE', 'peer', `"${op.op}" came before the origin let this edge in`);
    const nonces = { edge: this.#nonce, origin: this.#originNonce };
    if (this.#originNonce === '' || !isProof(op.proof, proofOf('origin', secret, nonces, name)))
      return this.#end('the origin does not know the secret');
    this.#isUp = true;
    this.#connection?.becomesLink(LINK_BYTES);
    this.#events.up(op);
  }

  #tick(): void {
    const now = performance.now();
    if (!this.#isUp && now - this.#beganAt > OPEN_MS)
      return this.#end(`the origin did not let this edge in within ${OPEN_MS} ms`);
    this.#connection?.tick(now);
    if (!this.#isUp || now - this.#pingedAt < PING_MS) return;
    this.#pingedAt = now;
    this.#connection?.ping();
  }

  #end(why: string): void {
    if (this.#isDown) return;
    this.close();
    this.#socket.destroy();
    this.#events.down(why);
  }
}
