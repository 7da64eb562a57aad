import type { MediaSink } from '../../../../client/media/sink.ts';
import { ByteReader } from '../../../../wire/bytes.ts';
import { decodeFlvTag, flvHeaderBytes } from '../../../../wire/flv.ts';
import type { Arrivals } from './frames.ts';

/** Gives a player what comes as FLV over a WebSocket; a frame holds whole tags. */
export function playFlv(url: string, sink: MediaSink, arrivals?: Arrivals): void {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  let isFirst = true;
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    const reader = new ByteReader(new Uint8Array(data), isFirst ? flvHeaderBytes : 0);
    isFirst = false;
    for (let tag = decodeFlvTag(reader); tag; tag = decodeFlvTag(reader)) {
      if (tag.type === 9) arrivals?.arrived(tag.timestamp);
      sink.message(tag.type, tag.timestamp, tag.payload);
    }
  };
}
