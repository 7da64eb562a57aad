import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import type { AmfValue } from '../../wire/values.ts';
import { ChunkParser, encodeChunks } from './chunks.ts';
import { Journal } from './journal.ts';
import { Type } from './rtmp-client.ts';

const HANDSHAKE_BYTES = 1536;
const CHUNK_BYTES = 4096;

/** A command of whoever has connected. */
export interface Asked {
  name: string;
  transaction: number;
  streamId: number;
  args: AmfValue[];
}

/** What a server does with a command; `connect` is accepted before. */
export type Behaviour = (asked: Asked, guest: Guest) => void;

/** What it says to `connect`: AMF0 of the command object and what follows. */
const WELCOME = encodeAmf0([{}, { level: 'status', code: 'NetConnection.Connect.Success', description: '' }]);

/** A server that accepts everybody and then does what the test says, however wrong. */
export class FakeServer {
  readonly asked = new Journal<Asked>('the server', ({ name, args }) => `${name} ${JSON.stringify(args)}`);
  readonly guests: Guest[] = [];
  port = 0;

  static async start(behaviour: Behaviour, welcome = WELCOME): Promise<FakeServer> {
    const fake = new FakeServer();
    const server = createServer((socket) => {
      fake.guests.push(
        new Guest(
          socket,
          (asked, guest) => {
            fake.asked.add(asked);
            behaviour(asked, guest);
          },
          welcome,
        ),
      );
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    fake.port = (server.address() as AddressInfo).port;
    onTestFinished(() => {
      for (const guest of fake.guests) guest.socket.destroy();
      server.close();
    });
    return fake;
  }

  get url(): string {
    return `rtmp://127.0.0.1:${this.port}/app/room`;
  }
}

/** One connection to it. */
export class Guest {
  readonly socket: Socket;
  readonly received: RtmpMessage[] = [];
  readonly #onCommand: Behaviour;
  readonly #welcome: Uint8Array;
  readonly #parser = new ChunkParser((message) => this.#message(message));
  #shaken = 0;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, onCommand: Behaviour, welcome: Uint8Array) {
    this.socket = socket.setNoDelay(true);
    this.#onCommand = onCommand;
    this.#welcome = welcome;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  answer(transaction: number, ...values: unknown[]): void {
    this.command(0, '_result', transaction, null, ...values);
  }

  status(streamId: number, code: string, level = 'status', description = ''): void {
    this.command(streamId, 'onStatus', 0, null, { level, code, description });
  }

  command(streamId: number, ...values: unknown[]): void {
    this.send({ type: Type.CommandAmf0, streamId, timestamp: 0, payload: encodeAmf0(values) });
  }

  /** Whether it may go on: otherwise the guest has not taken what was sent before. */
  send(message: RtmpMessage): boolean {
    return this.socket.write(encodeChunks(message, { chunkBytes: CHUNK_BYTES }));
  }

  /** C0 C1, S0 S1 S2, C2 in the simple form. */
  #receive(bytes: Buffer): void {
    if (this.#shaken === 2) return this.#parser.push(bytes);
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    if (this.#shaken === 0 && this.#buffer.length > HANDSHAKE_BYTES) {
      const c1 = this.#buffer.subarray(1, 1 + HANDSHAKE_BYTES);
      const s1 = randomBytes(HANDSHAKE_BYTES).fill(0, 0, 8);
      this.socket.write(Buffer.concat([Buffer.from([3]), s1, c1]));
      const size = Buffer.alloc(4);
      size.writeUInt32BE(CHUNK_BYTES);
      this.socket.write(
        encodeChunks(
          { type: Type.SetChunkSize, streamId: 0, timestamp: 0, payload: size },
          { csid: 2, chunkBytes: 128 },
        ),
      );
      this.#buffer = this.#buffer.subarray(1 + HANDSHAKE_BYTES);
      this.#shaken = 1;
    }
    if (this.#shaken === 1 && this.#buffer.length >= HANDSHAKE_BYTES) {
      this.#shaken = 2;
      this.#parser.push(this.#buffer.subarray(HANDSHAKE_BYTES));
    }
  }

  #message(message: RtmpMessage): void {
    this.received.push(message);
    const { type, streamId, payload } = message;
    if (type !== Type.CommandAmf0) return;
    const [name, transaction, , ...args] = decodeAmf0(payload);
    const asked = { name: String(name), transaction: Number(transaction), streamId, args };
    if (asked.name === 'connect')
      this.send({
        type: Type.CommandAmf0,
        streamId: 0,
        timestamp: 0,
        payload: Buffer.concat([encodeAmf0(['_result', asked.transaction]), this.#welcome]),
      });
    else this.#onCommand(asked, this);
  }
}
