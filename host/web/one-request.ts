import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const END_OF_HEAD = '\r\n\r\n';
/** Node refuses longer ones. */
const MAX_HEAD = 64 * 1024;

/**
 * Has a server answer one request on each connection. Of what is read at once (two megabytes and more) Node would make
 * objects for every request, and tell of every piece of a body in chunks, before anybody else has a turn: seconds, of a
 * single connection. So what follows the first head, and a body of the length that it says, becomes zeros before Node
 * sees it: no HTTP, which it ends with 400.
 */
export function answerOnce(
  server: Server,
  connection: 'connection' | 'secureConnection' = 'connection',
): void {
  server.prependListener('request', (_, response) => response.setHeader('Connection', 'close'));
  const erasers = new WeakMap<Socket, (bytes: Buffer) => void>();
  // From then on it is no HTTP.
  server.prependListener('upgrade', ({ socket }) => {
    const erase = erasers.get(socket);
    if (erase) socket.off('data', erase);
  });
  server.on(connection, (socket: Socket) => {
    let head: string | undefined = '';
    /** Of the body: bytes that are still to come. */
    let left = 0;
    const erase = (bytes: Buffer) => {
      let from = 0;
      if (head !== undefined) {
        const before = head.length;
        head += bytes.toString('latin1');
        const end = head.indexOf(END_OF_HEAD, Math.max(0, before - END_OF_HEAD.length));
        if (end < 0 && head.length <= MAX_HEAD) return;
        from = end < 0 ? 0 : end + END_OF_HEAD.length - before;
        left = end < 0 ? 0 : lengthIn(head.slice(0, end));
        head = undefined;
      }
      const ofBody = Math.min(left, bytes.length - from);
      left -= ofBody;
      bytes.fill(0, from + ofBody);
    };
    erasers.set(socket, erase);
    socket.prependListener('data', erase);
  });
}

/** What `Content-Length` says; 0 for nothing, or what is no number. */
function lengthIn(head: string): number {
  const [, length = '0'] = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r\n|$)/i.exec(head) ?? [];
  return Number(length);
}
