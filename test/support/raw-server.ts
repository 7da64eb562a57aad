import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Listens until the test ends, and does that with whoever comes. Resolves with the port. */
export async function serveSockets(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return (listener.address() as { port: number }).port;
}
