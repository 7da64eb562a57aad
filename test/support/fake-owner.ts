import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { defaultLimits } from '../../host/base/limits.ts';
import { RtmpConnection } from '../../host/rtmp/connection.ts';
import { commandMessage, encodeCommand, readCommandHead } from '../../wire/commands.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import {
  decodeSharedObject,
  encodeSharedObject,
  type SharedObjectEvent,
  type SharedObjectMessage,
} from '../../wire/shared-object.ts';
import { Journal } from './journal.ts';
import { Type } from './rtmp-client.ts';

/** An RTMP server that accepts whoever connects, and says of shared objects what the test wants. */
export class FakeOwner {
  /** What was asked for. */
  readonly asked = new Journal<SharedObjectMessage>(
    'the owner',
    ({ name, events }) => `${name} ${events.map(({ type }) => type)}`,
  );
  readonly #connections = new Set<RtmpConnection>();
  #port = 0;

  static async start(): Promise<FakeOwner> {
    const owner = new FakeOwner();
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      owner.#serve(socket);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    owner.#port = (server.address() as { port: number }).port;
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return owner;
  }

  get uri(): string {
    return `rtmp://127.0.0.1:${this.#port}/room/a`;
  }

  #serve(socket: Socket): void {
    const connection: RtmpConnection = new RtmpConnection(
      socket,
      false,
      defaultLimits,
      () => {},
      () => ({
        onMessage: (message) => this.#take(connection, message),
        onBuffer() {},
        onPlayed() {},
        onMakesKeyFrames() {},
        onIdle() {},
        onClose: () => void this.#connections.delete(connection),
      }),
    );
  }

  #take(connection: RtmpConnection, message: RtmpMessage): void {
    if (message.type === Type.SharedObjectAmf0 || message.type === Type.SharedObjectAmf3)
      return this.asked.add(decodeSharedObject(message.type, message.payload.slice()));
    if (message.type !== Type.CommandAmf0 || readCommandHead(message).name !== 'connect') return;
    connection.accepted();
    this.#connections.add(connection);
    const info = { level: 'status', code: 'NetConnection.Connect.Success', description: '' };
    connection.send(commandMessage(encodeCommand('_result', 1, {}, info)));
  }

  /** To all who are connected. `isExact`: as a server that knows what proxies need. */
  says(version: number, events: readonly SharedObjectEvent[], name = 'board', isExact = true): void {
    this.saysBytes(
      encodeSharedObject(Type.SharedObjectAmf0, {
        name,
        version,
        isPersistent: false,
        isProxy: isExact,
        events,
      }),
    );
  }

  saysBytes(payload: Uint8Array): void {
    for (const connection of this.#connections)
      connection.send({ type: Type.SharedObjectAmf0, streamId: 0, timestamp: 0, payload });
  }
}
