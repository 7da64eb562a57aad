import type { FileHandle } from 'node:fs/promises';
import { ByteReader } from '../../../wire/bytes.ts';
import {
  decodeFlvHeader,
  decodeFlvTagHeader,
  flvTagHeaderBytes,
  flvTagTrailerBytes,
} from '../../../wire/flv.ts';
import { isVideoKeyFrame } from '../../../wire/media-head.ts';
import { MessageType } from '../../../wire/messages.ts';
import { type FlvContents, HEAD_BYTES, MAX_KEY_FRAMES, ownMetadata } from './flv-head.ts';
import { KeyIndex } from './key-index.ts';

/** As much of the file is in memory at a time. */
const READ_BYTES = 1024 * 1024;
/** Of a tag's body: enough to tell a key frame. */
const MEDIA_HEAD_BYTES = 64;
const MAX_METADATA_BYTES = HEAD_BYTES;

/** What a recording goes on from. */
export interface Existing extends FlvContents {
  /** Where the last complete tag ends. */
  endAt: number;
  lastMs: number;
  /** Whether its head has room to be written again. */
  hasOurHead: boolean;
}

/** Reads the headers of all tags, to the last complete one: a crash may have cut off what came then. Throws `E_FLV_HEADER` and the like. */
export async function readExisting(file: FileHandle): Promise<Existing> {
  const window = new Window(file);
  const found: Existing = {
    endAt: 0,
    lastMs: 0,
    keys: new KeyIndex(MAX_KEY_FRAMES),
    hasAudio: false,
    hasVideo: false,
    own: {},
    hasOurHead: false,
  };
  const header = new ByteReader(await window.at(0, 4096));
  decodeFlvHeader(header);
  found.endAt = header.position;
  for (;;) {
    const at = found.endAt;
    const head = await window.at(at, flvTagHeaderBytes + MEDIA_HEAD_BYTES);
    if (head.length < flvTagHeaderBytes) return found;
    const { type, sizeBytes, timestamp } = decodeFlvTagHeader(new ByteReader(head));
    const next = at + flvTagHeaderBytes + sizeBytes + flvTagTrailerBytes;
    if ((await window.at(next - 1, 1)).length === 0) return found;
    const body = head.subarray(flvTagHeaderBytes, flvTagHeaderBytes + sizeBytes);
    if (type === MessageType.Video) {
      found.hasVideo = true;
      if (isVideoKeyFrame(body)) found.keys.add(at, timestamp);
    } else if (type === MessageType.Audio) found.hasAudio = true;
    else if (found.lastMs === 0 && type === MessageType.DataAmf0 && sizeBytes <= MAX_METADATA_BYTES) {
      found.hasOurHead ||= next === HEAD_BYTES;
      found.own = ownMetadata(await window.at(at + flvTagHeaderBytes, sizeBytes));
    }
    found.lastMs = Math.max(found.lastMs, timestamp);
    found.endAt = next;
  }
}

/** Reads a file from front to back in large pieces. */
class Window {
  readonly #file: FileHandle;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Bytes from there on, fewer at the file's end. */
  async at(position: number, bytes: number): Promise<Uint8Array> {
    const isInside = position >= this.#start && position + bytes <= this.#start + this.#bytes.length;
    if (!isInside) {
      const memory = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await this.#file.read(memory, 0, READ_BYTES, position);
      this.#start = position;
      this.#bytes = memory.subarray(0, bytesRead);
    }
    const from = position - this.#start;
    return this.#bytes.subarray(from, from + bytes);
  }
}
