import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const END_OF_HEAD = '\r\n\r\n';

/**
 * Has a server answer one request on each connection. Of what is read at once (two megabytes and more) Node would make
 * objects for every request, and tell of every piece of a body, before anybody else has a turn: seconds, of a single
 * connection. So what follows the first head becomes zeros before Node sees it: a body that nobody reads, or else no
 * HTTP, which it ends with 400.
 */
export function answerOnce(server: Server): void {
  server.prependListener('request', (_, response) => response.setHeader('Connection', 'close'));
  server.on('connection', (socket: Socket) => {
    let isAsked = false;
    let last = '';
    socket.prependListener('data', (bytes: Buffer) => {
      if (!isAsked) {
        const text = last + bytes.toString('latin1');
        const end = text.indexOf(END_OF_HEAD);
        isAsked = end >= 0;
        if (isAsked) bytes.fill(0, end + END_OF_HEAD.length - last.length);
        else last = text.slice(1 - END_OF_HEAD.length);
      } else bytes.fill(0);
    });
  });
}
