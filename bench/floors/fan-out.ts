/**
 * The floor under shared objects: what the first connection sends is written to all the others as it came. As the
 * server does, it hands the same buffer to each socket.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const readers = new Set<Socket>();
let writer: Socket | undefined;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  if (writer) {
    readers.add(socket);
    socket.on('close', () => readers.delete(socket));
    socket.resume();
    return;
  }
  writer = socket;
  socket.on('data', (bytes) => {
    for (const reader of readers) reader.write(bytes);
  });
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
