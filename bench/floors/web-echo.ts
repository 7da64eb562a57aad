/** The floor under round trips of pages: a bare `ws` that returns each frame. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (webSocket) => {
  webSocket.on('error', () => {});
  webSocket.on('message', (bytes) => webSocket.send(bytes));
});
server.on('listening', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
