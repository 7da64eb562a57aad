import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import { ChunkStreamId, serializedLength, serializeInto } from './chunk-writer.ts';
import type { WireFormat } from './ports.ts';

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
export function serialize(format: WireFormat, message: RtmpMessage, streamId: number): Buffer {
  const bytes = Buffer.allocUnsafe(format.lengthOf(message));
  format.serializeInto(bytes, 0, message, streamId);
  return bytes;
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
