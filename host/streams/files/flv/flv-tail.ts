import { ByteReader } from '../../../../wire/bytes.ts';
import { decodeFlvTagHeader, flvTagHeaderBytes, flvTagTrailerBytes } from '../../../../wire/flv.ts';
import { MessageType } from '../../../../wire/messages.ts';
import { type FileBytes, Window } from '../file-bytes.ts';
import { isMedia, isMessageType, TagWalk } from './flv-tags.ts';

/** So many tags in a row that point back to one another are no accident. */
const SURE_TAGS = 4;
const MAX_TAGS = 64;

/** How far from the end to look for a chain, and how many places that look like its end are tried. */
const SEARCHED_BYTES = 2 * 1024 * 1024;
const MAX_CHAINS = 64;

type Times = Map<number, number>;

export interface FlvTail {
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly lastTimestamp: number;
}

/**
 * What the last tags say, found through the back pointers. When the file does not end with one, as it is being written or
 * was not finished, the last before it that is part of a chain. `undefined` when there is none: then only whoever goes
 * through the whole file knows.
 */
export function readFlvTail(file: FileBytes, firstTagAt: number): Promise<FlvTail | undefined> {
  return Window.lend(file, async (window) => {
    const last = await walkBack(file, window, file.sizeBytes, firstTagAt);
    return last ? tailOf(last) : searchBack(file, window, firstTagAt);
  });
}

/** The last times of sound and pictures, by types of messages; `undefined` when no chain of tags ends there. */
async function walkBack(
  file: FileBytes,
  window: Window,
  from: number,
  firstTagAt: number,
): Promise<Times | undefined> {
  const last: Times = new Map();
  let end = from;
  let tags = 0;
  while (end > firstTagAt && tags < MAX_TAGS && !(tags >= SURE_TAGS && last.size === 2)) {
    const trailer = await viewBefore(window, end, flvTagTrailerBytes);
    if (!trailer) return undefined;
    const tagBytes = new ByteReader(trailer).u32();
    const position = end - flvTagTrailerBytes - tagBytes;
    if (tagBytes < flvTagHeaderBytes || position < firstTagAt) return undefined;

    const head = await viewBefore(window, position + flvTagHeaderBytes, flvTagHeaderBytes);
    if (!head || !isTagOf(head, 0, tagBytes)) return undefined;
    const { type, timestamp } = decodeFlvTagHeader(new ByteReader(head));
    if (isMedia(type) && !last.has(type)) last.set(type, Math.max(0, timestamp));
    end = position;
    tags++;
  }
  const isSure = tags >= SURE_TAGS || (end === firstTagAt && from === file.sizeBytes);
  return isSure ? last : undefined;
}

async function searchBack(file: FileBytes, window: Window, firstTagAt: number): Promise<FlvTail | undefined> {
  const start = Math.max(firstTagAt, file.sizeBytes - SEARCHED_BYTES);
  const bytes = await file.take(start, file.sizeBytes - start);
  let chains = 0;
  for (let end = bytes.length; end >= flvTagHeaderBytes + flvTagTrailerBytes && chains < MAX_CHAINS; end--) {
    const pointerAt = end - flvTagTrailerBytes;
    const tagBytes = new ByteReader(bytes, pointerAt).u32();
    const headAt = pointerAt - tagBytes;
    if (tagBytes < flvTagHeaderBytes || headAt < 0 || !isTagOf(bytes, headAt, tagBytes)) continue;
    chains++;
    const last = await walkBack(file, window, start + end, firstTagAt);
    if (last) return tailOf(await walkOn(file, window, start + end, last));
  }
  return undefined;
}

/** Tags behind the chain are whole when only the pointer of the last one is not. */
async function walkOn(file: FileBytes, window: Window, from: number, last: Times): Promise<Times> {
  const walk = new TagWalk(file, window, from);
  for (let tag = await walk.next(); tag; tag = await walk.next()) {
    if (tag.isMessage && isMedia(tag.type)) last.set(tag.type, tag.timestamp);
  }
  return last;
}

function isTagOf(bytes: Uint8Array, at: number, tagBytes: number): boolean {
  const { type, sizeBytes } = decodeFlvTagHeader(new ByteReader(bytes, at));
  return sizeBytes + flvTagHeaderBytes === tagBytes && isMessageType(type);
}

function tailOf(last: Times): FlvTail {
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
