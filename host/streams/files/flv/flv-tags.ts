import { ByteReader } from '../../../../wire/bytes.ts';
import { decodeFlvTagHeader, flvTagHeaderBytes, flvTagTrailerBytes } from '../../../../wire/flv.ts';
import { MessageType } from '../../../../wire/messages.ts';
import type { FileBytes, Window } from '../file-bytes.ts';

/** How much of a body is looked at to see what it is. */
const PEEK_BYTES = 64;

/** A tag as it lies in the file. */
export interface TagAt {
  readonly position: number;
  readonly type: number;
  /** Milliseconds, never negative. */
  readonly timestamp: number;
  readonly bodyAt: number;
  readonly sizeBytes: number;
  /** Where the next one begins. */
  readonly next: number;
  /** Whether it is a message: of a type that RTMP has, and not encrypted. */
  readonly isMessage: boolean;
  /** How the body begins, as a view that the next step overwrites. */
  readonly peek: Uint8Array;
}

/**
 * Goes through the tags of a file, from any that begins at a known place. It ends before the first that is not whole
 * or that cannot be one: a crash leaves anything behind. Wrong back pointers count only against tags that look odd.
 */
export class TagWalk {
  position: number;
  readonly #file: FileBytes;
  readonly #window: Window;

  constructor(file: FileBytes, window: Window, position: number) {
    this.#file = file;
    this.#window = window;
    this.position = position;
  }

  async next(): Promise<TagAt | undefined> {
    const { position } = this;
    const end = this.#file.sizeBytes;
    const wanted = flvTagHeaderBytes + PEEK_BYTES;
    const window = this.#window;
    if (!window.holds(position, wanted)) {
      const isThere = await window.load(position, Math.min(wanted, end - position));
      if (!isThere && !window.holds(position, flvTagHeaderBytes)) return undefined;
    }
    if (!window.holds(position, flvTagHeaderBytes)) return undefined;

    const head = window.view(position, flvTagHeaderBytes);
    const { type, sizeBytes, timestamp, filtered } = decodeFlvTagHeader(new ByteReader(head));
    const bodyAt = position + flvTagHeaderBytes;
    const bodyEnd = bodyAt + sizeBytes;
    if (bodyEnd > end) return undefined;
    const isKnown = isMessageType(type);
    const hasStreamId = (head[8]! | head[9]! | head[10]!) !== 0;
    if ((!isKnown || hasStreamId) && !(await this.#pointsBack(bodyEnd, sizeBytes))) return undefined;

    const next = Math.min(bodyEnd + flvTagTrailerBytes, end);
    this.position = next;
    const peekBytes = Math.min(sizeBytes, PEEK_BYTES);
    const peek = window.holds(bodyAt, peekBytes) ? window.view(bodyAt, peekBytes) : nothing;
    const isMessage = isKnown && !filtered;
    return { position, type, timestamp: Math.max(0, timestamp), bodyAt, sizeBytes, next, isMessage, peek };
  }

  async #pointsBack(bodyEnd: number, sizeBytes: number): Promise<boolean> {
    const isHeld = this.#window.holds(bodyEnd, flvTagTrailerBytes);
    const trailer = isHeld
      ? this.#window.view(bodyEnd, flvTagTrailerBytes)
      : await this.#file.take(bodyEnd, flvTagTrailerBytes);
    return trailer.length === 4 && new ByteReader(trailer).u32() === sizeBytes + flvTagHeaderBytes;
  }
}

export function isMessageType(type: number): boolean {
  return isMedia(type) || type === MessageType.DataAmf0 || type === MessageType.DataAmf3;
}

export function isMedia(type: number): boolean {
  return type === MessageType.Audio || type === MessageType.Video;
}

const nothing = new Uint8Array(0);
