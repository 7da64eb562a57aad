import { ByteReader, ByteWriter } from './bytes.ts';
import { StagewireError } from './errors.ts';

/** What one RTMP message is once its chunks are put together. */
export interface RtmpMessage {
  /** One of `MessageType`, or a number nobody has assigned. */
  type: number;
  /** The message stream: 0 is the connection itself. */
  streamId: number;
  /** Milliseconds modulo 2^32. Compare differences, never values. */
  timestamp: number;
  payload: Uint8Array;
}

/** Message types (RTMP 1.0, sections 5.4 and 7.1). */
export const MessageType = {
  SetChunkSize: 1,
  Abort: 2,
  Acknowledgement: 3,
  UserControl: 4,
  WindowAckSize: 5,
  SetPeerBandwidth: 6,
  Audio: 8,
  Video: 9,
  DataAmf3: 15,
  SharedObjectAmf3: 16,
  CommandAmf3: 17,
  DataAmf0: 18,
  SharedObjectAmf0: 19,
  CommandAmf0: 20,
  Aggregate: 22,
} as const;

/** Limit types of Set Peer Bandwidth (RTMP 1.0, section 5.4.5). */
export const PeerBandwidthLimit = { Hard: 0, Soft: 1, Dynamic: 2 } as const;

export interface PeerBandwidth {
  windowBytes: number;
  /** One of `PeerBandwidthLimit`. */
  limit: number;
}

/** Audio, video and the aggregates made of them: what may be large. */
export function isMediaType(type: number): boolean {
  return type === MessageType.Audio || type === MessageType.Video || type === MessageType.Aggregate;
}

/** Whether a message of this type speaks about the connection and belongs on message stream 0. */
export function isControlType(type: number): boolean {
  return type >= MessageType.SetChunkSize && type <= MessageType.SetPeerBandwidth;
}

export function isKnownType(type: number): boolean {
  return isControlType(type) || (type >= 15 && type <= 20) || isMediaType(type);
}

/** A message of the connection itself: its time is ignored by everybody and written as 0. */
export function controlMessage(type: number, payload: Uint8Array): RtmpMessage {
  return { type, streamId: 0, timestamp: 0, payload };
}

/** Bit 31 must be 0 (section 5.4.1) and is ignored. A chunk size of 0 ends the connection. */
export function decodeSetChunkSize(payload: Uint8Array): number {
  const sizeBytes = new ByteReader(payload).u32() & 0x7fffffff;
  if (sizeBytes < 1) throw new StagewireError('E_CHUNK_SIZE', 'peer', 'chunk size 0 was announced');
  return sizeBytes;
}

export function encodeSetChunkSize(sizeBytes: number): Uint8Array {
  return encodeU32(sizeBytes);
}

/** The chunk stream whose unfinished message is dropped. */
export function decodeAbort(payload: Uint8Array): number {
  return new ByteReader(payload).u32();
}

export function encodeAbort(chunkStreamId: number): Uint8Array {
  return encodeU32(chunkStreamId);
}

/** Bytes received since the connection began, modulo 2^32. */
export function decodeAcknowledgement(payload: Uint8Array): number {
  return new ByteReader(payload).u32();
}

/** Takes the full count and writes its low 32 bits. */
export function encodeAcknowledgement(receivedBytes: number): Uint8Array {
  return encodeU32(receivedBytes % 0x100000000);
}

export function decodeWindowAckSize(payload: Uint8Array): number {
  return new ByteReader(payload).u32();
}

export function encodeWindowAckSize(windowBytes: number): Uint8Array {
  return encodeU32(windowBytes);
}

/** A body without its limit type is read as a hard limit. */
export function decodeSetPeerBandwidth(payload: Uint8Array): PeerBandwidth {
  const body = new ByteReader(payload);
  const windowBytes = body.u32();
  return { windowBytes, limit: body.remaining > 0 ? body.u8() : PeerBandwidthLimit.Hard };
}

export function encodeSetPeerBandwidth({ windowBytes, limit }: PeerBandwidth): Uint8Array {
  const writer = new ByteWriter(5);
  writer.u32(windowBytes);
  writer.u8(limit);
  return writer.view;
}

/** In an aggregate: type, size, timestamp and stream id before each body, a back pointer after it. */
const aggregateHeadBytes = 11;
const aggregateTailBytes = 4;

/**
 * The messages inside an aggregate (RTMP 1.0, section 7.1.6), as views of its payload. The aggregate's time and
 * stream count: the elements only tell how far apart they are. A truncated last element and elements that are
 * neither media nor data are left out; back pointers are not checked, as FFmpeg writes 0 there.
 */
export function* splitAggregate(aggregate: RtmpMessage): Generator<RtmpMessage, void, undefined> {
  const body = new ByteReader(aggregate.payload);
  let firstTimestamp = -1;

  while (body.remaining >= aggregateHeadBytes) {
    const type = body.u8();
    const sizeBytes = body.u24();
    const timestamp = body.u24() + body.u8() * 0x1000000;
    body.skip(3);
    if (sizeBytes > body.remaining) return;

    if (type === MessageType.Aggregate) {
      throw new StagewireError('E_AGGREGATE_NESTED', 'peer', 'an aggregate message holds another one');
    }
    if (firstTimestamp < 0) firstTimestamp = timestamp;
    const payload = body.take(sizeBytes);
    body.skip(Math.min(aggregateTailBytes, body.remaining));

    if (!belongsInAggregate(type)) continue;
    yield {
      type,
      streamId: aggregate.streamId,
      timestamp: (aggregate.timestamp + timestamp - firstTimestamp) >>> 0,
      payload,
    };
  }
}

/** The payload of an aggregate of these messages. Its own time must be the first one's. */
export function encodeAggregate(messages: Iterable<RtmpMessage>): Uint8Array {
  const writer = new ByteWriter(4096);
  for (const { type, timestamp, payload } of messages) {
    writer.u8(type);
    writer.u24(payload.length);
    writer.u24(timestamp & 0xffffff);
    writer.u8(timestamp >>> 24);
    writer.u24(0);
    writer.bytes(payload);
    writer.u32(payload.length + aggregateHeadBytes);
  }
  return writer.view;
}

function belongsInAggregate(type: number): boolean {
  return (
    type === MessageType.Audio ||
    type === MessageType.Video ||
    type === MessageType.DataAmf0 ||
    type === MessageType.DataAmf3
  );
}

function encodeU32(value: number): Uint8Array {
  const writer = new ByteWriter(4);
  writer.u32(value);
  return writer.view;
}
