import { ByteReader } from './bytes.ts';
import { StagewireError } from './errors.ts';
import type { RtmpMessage } from './messages.ts';

/** The subprotocol of a WebSocket that carries RTMP messages (docs/websocket.md). */
export const SUBPROTOCOL = 'stagewire.v1';

/** The message header of RTMP 1.0, section 6.1.1: type, length, timestamp and message stream id. */
export const PACKET_HEAD_BYTES = 11;
export const MAX_PACKET_BYTES = 0xffffff;
const MAX_STREAM_ID = 0xffffff;

/** A message as a WebSocket has it: its header, then its payload. Returns where it ends. Throws `E_TOO_LONG` beyond 16 MB. */
export function writePacket(
  target: Uint8Array,
  start: number,
  message: RtmpMessage,
  streamId: number,
): number {
  const { type, timestamp, payload } = message;
  const size = payload.length;
  if (size > MAX_PACKET_BYTES || streamId > MAX_STREAM_ID) {
    const text = `a message of ${size} bytes for stream ${streamId}: ${MAX_PACKET_BYTES} fit`;
    throw new StagewireError('E_TOO_LONG', 'app', text);
  }
  let at = start;
  target[at++] = type;
  target[at++] = size >>> 16;
  target[at++] = size >>> 8;
  target[at++] = size;
  target[at++] = timestamp >>> 24;
  target[at++] = timestamp >>> 16;
  target[at++] = timestamp >>> 8;
  target[at++] = timestamp;
  target[at++] = streamId >>> 16;
  target[at++] = streamId >>> 8;
  target[at++] = streamId;
  target.set(payload, at);
  return at + size;
}

/** Type and length of the message that begins there. Throws `E_TRUNCATED` for less than a header. */
export function readPacketHead(bytes: Uint8Array, at: number): { type: number; size: number } {
  const reader = new ByteReader(bytes, at);
  return { type: reader.u8(), size: reader.u24() };
}

/** The next message; its payload is a view. Throws `E_TRUNCATED` when it is longer than what is left. */
export function readPacket(reader: ByteReader): RtmpMessage {
  const type = reader.u8();
  const size = reader.u24();
  const timestamp = reader.u32();
  const streamId = reader.u24();
  return { type, streamId, timestamp, payload: reader.take(size) };
}
