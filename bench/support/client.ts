import { connect, type Socket } from 'node:net';
import { ChunkReader, defaultChunkLimits } from '../../host/rtmp/chunk-reader.ts';
import { ChunkStreamId, serializeMessage } from '../../host/rtmp/chunk-writer.ts';
import { ClientHandshake } from '../../host/rtmp/handshake.ts';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import {
  encodeSharedObject,
  type SharedObjectEvent,
  SharedObjectEventType,
} from '../../wire/shared-object.ts';
import { sharedValueOf } from '../../wire/shared-values.ts';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** A client that connects and calls, one thing at a time. For load there is bench/load.ts. */
export class BenchClient {
  readonly #socket: Socket;
  readonly #reader: ChunkReader;
  readonly #waiting = new Map<number, Waiting>();
  #nextTransaction = 2;
  /** Hears of messages of shared objects. */
  onShared: (message: RtmpMessage) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new ChunkReader({ ...defaultChunkLimits }, (message) => this.#message(message));
  }

  /** Resolves when the handshake is done. */
  static async open(port: number): Promise<BenchClient> {
    const socket = await openSocket(port);
    const client = new BenchClient(socket);
    const rest = await shakeHands(socket);
    socket.on('data', (bytes: Buffer) => client.#reader.push(bytes));
    socket.on('close', () => client.#closed());
    if (rest.length > 0) client.#reader.push(rest);
    return client;
  }

  /** Connects to an instance such as `calls/room1`. Returns how long the answer took. */
  async connect(app: string): Promise<number> {
    const startedAt = performance.now();
    await this.#ask(1, connectCommand(app));
    return performance.now() - startedAt;
  }

  call(method: string, ...args: unknown[]): Promise<unknown> {
    const transaction = this.#nextTransaction++;
    return this.#ask(transaction, encodeAmf0([method, transaction, null, ...args]));
  }

  /** Subscribes to a shared object. */
  use(name: string, isPersistent = false): void {
    this.#share(name, isPersistent, [{ type: SharedObjectEventType.Use }]);
  }

  set(name: string, key: string, value: unknown, isPersistent = false): void {
    const change = { type: SharedObjectEventType.RequestChange, key, value: sharedValueOf(value, 0) };
    this.#share(name, isPersistent, [change]);
  }

  #share(name: string, isPersistent: boolean, events: readonly SharedObjectEvent[]): void {
    const type = MessageType.SharedObjectAmf0;
    const payload = encodeSharedObject(type, { name, version: 0, isPersistent, events });
    const message = { type, streamId: 0, timestamp: 0, payload };
    this.#socket.write(serializeMessage(message, ChunkStreamId.Command, 128));
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(transaction: number, payload: Uint8Array): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(transaction, { resolve, reject });
      this.#socket.write(commandFrame(payload));
    });
  }

  #message(message: RtmpMessage): void {
    const { type, payload } = message;
    if (type === MessageType.SharedObjectAmf0) return this.onShared(message);
    if (type !== MessageType.CommandAmf0) return;
    const [name, transaction, , value] = decodeAmf0(payload);
    const waiting = this.#waiting.get(transaction as number);
    this.#waiting.delete(transaction as number);
    if (name === '_result') waiting?.resolve(value);
    else waiting?.reject(new Error(`the server answered ${String(name)} ${JSON.stringify(value)}`));
  }

  #closed(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('the server closed the connection'));
    this.#waiting.clear();
  }
}

export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Returns what came after the handshake. */
export function shakeHands(socket: Socket): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const handshake = new ClientHandshake();
    const onData = (bytes: Buffer) => {
      const step = handshake.push(bytes);
      if (step.send.length > 0) socket.write(step.send);
      if (!step.done) return;
      socket.off('data', onData);
      resolve(bytes.subarray(step.consumed));
    };
    socket.on('data', onData);
    socket.once('close', () => reject(new Error('the server closed the connection')));
    socket.write(handshake.start());
  });
}

export function connectCommand(app: string): Uint8Array {
  const object = { app, tcUrl: `rtmp://127.0.0.1/${app}`, flashVer: 'bench', objectEncoding: 0 };
  return encodeAmf0(['connect', 1, object]);
}

/** A command as one chunk: it must fit into the chunk size that every connection begins with. */
export function commandFrame(payload: Uint8Array): Buffer {
  const message = { type: MessageType.CommandAmf0, streamId: 0, timestamp: 0, payload };
  return serializeMessage(message, ChunkStreamId.Command, 128);
}
