import { MessageType } from '../../wire/messages.ts';
import { ChunkStreamId, serializedLength, serializeInto } from './chunk-writer.ts';
import type { OutMessage, WireFormat } from './ports.ts';

const formats = new Map<number, WireFormat>();

/** Chunks of that size, each message with a full header: the bytes depend on nothing written before. */
export function rtmpFormat(chunkBytes: number): WireFormat {
  let format = formats.get(chunkBytes);
  if (!format) {
    format = {
      name: `rtmp-${chunkBytes}`,
      lengthOf: (message) => serializedLength(message, chunkStreamFor(message.type), chunkBytes),
      serializeInto: (target, at, message, streamId) =>
        serializeInto(target, at, { ...message, streamId }, chunkStreamFor(message.type), chunkBytes),
    };
    formats.set(chunkBytes, format);
  }
  return format;
}

/** One message as bytes of its own. */
export function serialize(format: WireFormat, message: OutMessage, streamId: number): Buffer {
  const bytes = Buffer.allocUnsafe(lengthOfAll(format, [message]));
  writeAll(format, bytes, [message], streamId);
  return bytes;
}

/** How many bytes messages take that are sent together. */
export function lengthOfAll(format: WireFormat, messages: readonly OutMessage[]): number {
  const size = sizeOf(format, messages);
  return size + (format.envelope?.headBytes(size) ?? 0);
}

/** Fills memory of `lengthOfAll` bytes. */
export function writeAll(
  format: WireFormat,
  target: Uint8Array,
  messages: readonly OutMessage[],
  streamId: number,
): void {
  let at = 0;
  if (format.envelope) {
    const size = sizeOf(format, messages);
    format.envelope.writeHead(target, 0, size);
    at = format.envelope.headBytes(size);
  }
  for (const message of messages) at = format.serializeInto(target, at, message, streamId);
}

function sizeOf(format: WireFormat, messages: readonly OutMessage[]): number {
  let size = 0;
  for (const message of messages) size += format.lengthOf(message);
  return size;
}

/** Commands and shared objects go out on 3 whatever their stream: some clients listen nowhere else. */
export function chunkStreamFor(type: number): number {
  switch (type) {
    case MessageType.Audio:
      return ChunkStreamId.Audio;
    case MessageType.Video:
      return ChunkStreamId.Video;
    case MessageType.DataAmf0:
    case MessageType.DataAmf3:
      return ChunkStreamId.Data;
    case MessageType.CommandAmf0:
    case MessageType.CommandAmf3:
    case MessageType.SharedObjectAmf0:
    case MessageType.SharedObjectAmf3:
      return ChunkStreamId.Command;
    default:
      return ChunkStreamId.Control;
  }
}
