import type { Envelope } from '../rtmp/ports.ts';

/** A final frame with that opcode (RFC 6455, section 5.2); those of a server are not masked. */
const BINARY = 0x82;
const PONG = 0x8a;

/** The head of a binary message of a WebSocket: 2, 4 or 10 bytes. */
export const binaryFrame: Envelope = {
  headBytes: (size) => (size < 126 ? 2 : size < 0x10000 ? 4 : 10),
  writeHead: (target, at, size) => {
    target[at] = BINARY;
    target[at + 1] = size < 126 ? size : size < 0x10000 ? 126 : 127;
    if (size < 126) return;
    const digits = size < 0x10000 ? 2 : 8;
    for (let i = digits - 1, rest = size; i >= 0; i--, rest >>>= 8) target[at + 2 + i] = rest & 255;
  },
};

/** The answer to a ping, whose payload has 125 bytes at most. */
export function pongFrame(payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(2 + payload.length);
  frame[0] = PONG;
  frame[1] = payload.length;
  frame.set(payload, 2);
  return frame;
}
