import { readFileSync } from 'node:fs';
import { ByteReader } from '../../wire/bytes.ts';
import { decodeFlvHeader, decodeFlvTag } from '../../wire/flv.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame } from './media.ts';
import type { ClientStream } from './rtmp-client.ts';

export interface Tag {
  type: number;
  timestamp: number;
  payload: Uint8Array;
}

/** The tags of an FLV file, to the last complete one. */
export function tagsOf(file: string | Uint8Array): Tag[] {
  const reader = new ByteReader(typeof file === 'string' ? readFileSync(file) : file);
  decodeFlvHeader(reader);
  const tags: Tag[] = [];
  for (let tag = decodeFlvTag(reader); tag; tag = decodeFlvTag(reader)) tags.push(tag);
  return tags;
}

/** Sends the tags of a file, metadata as encoders do. */
export function sendTags(stream: ClientStream, tags: readonly Tag[], at = 0): void {
  for (const { type, timestamp, payload } of tags) {
    if (type === 9) stream.video((at + timestamp) >>> 0, payload);
    else if (type === 8) stream.audio((at + timestamp) >>> 0, payload);
  }
}

/** Twenty-five pictures a second, each second begun by a key frame, and sound between them; numbered from `first` on. */
export function showTags(seconds: number, first = 0): Tag[] {
  const tags: Tag[] = [
    { type: 9, timestamp: 0, payload: avcHeader },
    { type: 8, timestamp: 0, payload: aacHeader },
  ];
  for (let i = 0; i < seconds * 25; i++) {
    const id = first + i;
    tags.push({ type: 9, timestamp: i * 40, payload: i % 25 === 0 ? keyFrame(id) : interFrame(id) });
    tags.push({ type: 8, timestamp: i * 40 + 10, payload: aacFrame(id) });
  }
  return tags;
}

/** Frames of half a megabyte. */
function largeTags(megabytes: number): Tag[] {
  const tags: Tag[] = [{ type: 9, timestamp: 0, payload: avcHeader }];
  for (let i = 0; i < megabytes * 2; i++) {
    const payload = new Uint8Array(512 * 1024);
    payload.set(keyFrame(i));
    tags.push({ type: 9, timestamp: i * 40, payload });
  }
  return tags;
}

/** Records much, and sends no faster than the server takes it in. */
export async function recordLarge(stream: ClientStream, name: string, megabytes: number): Promise<void> {
  await stream.publish(name, 'record');
  await stream.status('NetStream.Record.Start');
  for (const tag of largeTags(megabytes)) {
    sendTags(stream, [tag]);
    await stream.settled();
  }
  stream.command('closeStream');
  await stream.status('NetStream.Record.Stop');
}
