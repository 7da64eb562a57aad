import { ByteReader } from '../../../../wire/bytes.ts';
import { decodeFlvTagHeader, flvTagHeaderBytes, flvTagTrailerBytes } from '../../../../wire/flv.ts';
import { MessageType } from '../../../../wire/messages.ts';
import { type FileBytes, Window } from '../file-bytes.ts';
import { isMedia, isMessageType } from './flv-tags.ts';

/** So many tags in a row that point back to one another are no accident. */
const SURE_TAGS = 4;
const MAX_TAGS = 64;

export interface FlvTail {
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly lastTimestamp: number;
}

/**
 * What the last tags say, found through the back pointers. `undefined` when these lead nowhere: then only whoever goes
 * through the whole file knows.
 */
export function readFlvTail(file: FileBytes, firstTagAt: number): Promise<FlvTail | undefined> {
  return Window.lend(file, (window) => walkBack(file, window, firstTagAt));
}

async function walkBack(file: FileBytes, window: Window, firstTagAt: number): Promise<FlvTail | undefined> {
  const last = new Map<number, number>();
  let end = file.sizeBytes;
  let tags = 0;
  while (end > firstTagAt && tags < MAX_TAGS && !(tags >= SURE_TAGS && last.size === 2)) {
    const trailer = await viewBefore(window, end, flvTagTrailerBytes);
    if (!trailer) return undefined;
    const tagBytes = new ByteReader(trailer).u32();
    const position = end - flvTagTrailerBytes - tagBytes;
    if (tagBytes < flvTagHeaderBytes || position < firstTagAt) return undefined;

    const head = await viewBefore(window, position + flvTagHeaderBytes, flvTagHeaderBytes);
    if (!head) return undefined;
    const { type, sizeBytes, timestamp } = decodeFlvTagHeader(new ByteReader(head));
    if (sizeBytes + flvTagHeaderBytes !== tagBytes || !isMessageType(type)) return undefined;
    if (isMedia(type) && !last.has(type)) last.set(type, Math.max(0, timestamp));
    end = position;
    tags++;
  }
  if (tags < SURE_TAGS && end !== firstTagAt) return undefined;
  const lastTimestamp = Math.max(0, ...last.values());
  return { hasAudio: last.has(MessageType.Audio), hasVideo: last.has(MessageType.Video), lastTimestamp };
}

/** The bytes that end there. The window goes backwards through the file. */
async function viewBefore(window: Window, end: number, count: number): Promise<Uint8Array | undefined> {
  const position = end - count;
  if (position < 0) return undefined;
  if (!window.holds(position, count)) {
    const start = Math.max(0, end - Window.sizeBytes);
    if (!(await window.load(start, end - start))) return undefined;
  }
  return window.view(position, count);
}
