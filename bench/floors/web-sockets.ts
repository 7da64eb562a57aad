/**
 * The floor under a stream for viewers over WebSocket, as one writes it first: each message that the first connection
 * sends goes to all later ones by one `send` of `ws` each.
 */
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

const viewers = new Set<WebSocket>();
let hasPublisher = false;

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (webSocket) => {
  webSocket.on('error', () => {});
  if (hasPublisher) {
    viewers.add(webSocket);
    webSocket.on('close', () => viewers.delete(webSocket));
    return;
  }
  hasPublisher = true;
  webSocket.on('message', (packet) => {
    for (const viewer of viewers) viewer.send(packet);
  });
});
server.on('listening', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
