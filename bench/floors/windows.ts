/**
 * The floor under one stream for many viewers, in Node: what the first connection sends, in pieces of four bytes of
 * length and as many bytes, goes to all later ones, one `socket.write` of the same reused buffer each.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const PIECE_BYTES = 1 << 20;
/** A buffer is used again so many pieces later: readers that keep up have it by then. */
const BUFFERS = 64;

const viewers = new Set<Socket>();
const buffers = Array.from({ length: BUFFERS }, () => Buffer.allocUnsafeSlow(PIECE_BYTES));
let publisher: Socket | undefined;
let turn = 0;
let have = 0;
const length = Buffer.alloc(4);

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  if (publisher) {
    viewers.add(socket);
    socket.on('close', () => viewers.delete(socket));
    socket.resume();
    return;
  }
  publisher = socket;
  socket.on('data', read);
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));

function read(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    if (have < 4) {
      length[have++] = bytes[at++]!;
      continue;
    }
    const piece = buffers[turn]!;
    const end = 4 + length.readUInt32BE();
    const copied = bytes.copy(piece, have - 4, at, Math.min(bytes.length, at + end - have));
    at += copied;
    have += copied;
    if (have < end) return;
    have = 0;
    turn = (turn + 1) % BUFFERS;
    const whole = piece.subarray(0, end - 4);
    for (const viewer of viewers) viewer.write(whole);
  }
}
