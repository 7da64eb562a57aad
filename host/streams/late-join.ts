import {
  audioCacheKey,
  isVideoMetadata,
  isVideoSequenceHeader,
  videoCacheKey,
} from '../../wire/media-head.ts';
import { MessageType } from '../../wire/messages.ts';
import { lengthOfAll, writeAll } from '../rtmp/format.ts';
import type { OutMessage, WireFormat } from '../rtmp/ports.ts';
import { EntryTrack } from './entry-track.ts';

/** Codec headers, one per role and track; senders choose the track ids. */
const MAX_HEADERS = 64;
const MAX_DATA_FRAMES = 64;
/** What a kept message costs beside its payload. */
const MESSAGE_OVERHEAD = 256;
/** Formats and stream ids for which bytes are kept: who uses others has them written anew. */
export const MAX_WRITTEN = 4;
/** Pieces of one catch-up before they are joined: each is a write. */
const MAX_PIECES = 16;

/** What a viewer gets before live messages. */
export interface CatchUp {
  /** To be sent with time 0: FFmpeg takes metadata with another time for a track of its own. */
  readonly dataFrames: readonly OutMessage[];
  /** To be sent with the time of the first media message that follows. */
  readonly headers: readonly OutMessage[];
  readonly pictures: readonly OutMessage[];
}

/** The same as bytes that all who come now share. */
export interface CatchUpBytes {
  readonly pieces: readonly Buffer[];
  readonly messages: number;
}

interface Written {
  pieces: Buffer[];
  messages: number;
  /** How many pictures are in the pieces. */
  pictures: number;
}

/** What a stream keeps for those who come later: data frames, codec headers, and the pictures since the last key frame. */
export class LateJoin {
  readonly #gopBytes: () => number;
  readonly #headers = new Map<string, OutMessage>();
  /** Data that late joiners get too, by handler name: `onMetaData` above all. */
  readonly #dataFrames = new Map<string, OutMessage>();
  /** From the last key frame on; undefined while there is none, or none that fits. */
  #pictures: OutMessage[] | undefined;
  #hasVideo = false;
  #beganAt = -Infinity;
  readonly #entry = new EntryTrack();
  #pictureBytes = 0;
  /** Of headers and data frames: both come from whoever publishes, and there may be many. */
  #headBytes = 0;
  /** What has been written for those who came since the last key frame, by format and stream id. */
  readonly #written = new Map<string, Written>();

  constructor(gopBytes: () => number) {
    this.#gopBytes = gopBytes;
  }

  /** Whether a group of pictures begins with it. */
  remember(message: OutMessage): boolean {
    const { type, payload } = message;
    let isBeginning = false;
    if (type === MessageType.Video) {
      const key = videoCacheKey(payload);
      if (key !== undefined) this.#keep(this.#headers, MAX_HEADERS, key, message);
      if (isVideoSequenceHeader(payload)) return false;
      this.#hasVideo = true;
      isBeginning = !isVideoMetadata(payload) && this.#entry.isEntry(payload);
      if (isBeginning) this.#begin();
    } else if (type === MessageType.Audio) {
      const key = audioCacheKey(payload);
      if (key !== undefined) {
        this.#keep(this.#headers, MAX_HEADERS, key, message);
        return false;
      }
    } else {
      return false; // data: late joiners get the data frames only
    }
    if (!this.#pictures || payload.length === 0) return isBeginning;
    this.#pictures.push(keepable(message));
    this.#pictureBytes += payload.length + MESSAGE_OVERHEAD;
    if (this.#pictureBytes > this.#gopBytes()) this.#forgetPictures();
    return isBeginning;
  }

  setDataFrame(key: string, message: OutMessage): void {
    this.#keep(this.#dataFrames, MAX_DATA_FRAMES, key, message);
  }

  clearDataFrame(key: string): void {
    this.#written.clear();
    this.#headBytes -= this.#dataFrames.get(key)?.payload.length ?? 0;
    this.#dataFrames.delete(key);
  }

  /** The source is gone: the next has headers of its own. */
  forget(): void {
    this.#headers.clear();
    this.#dataFrames.clear();
    this.#headBytes = 0;
    this.#hasVideo = false;
    this.#forgetPictures();
  }

  /** How long ago the key frame came that it begins with: for ever when there is none, undefined of a stream without pictures. */
  get ageMs(): number | undefined {
    return this.#hasVideo ? performance.now() - this.#beganAt : undefined;
  }

  get catchUp(): CatchUp {
    return {
      dataFrames: [...this.#dataFrames.values()],
      headers: [...this.#headers.values()],
      pictures: this.#pictures ?? [],
    };
  }

  /** The whole catch-up in that format, written once for all who come before the next key frame. */
  bytesFor(format: WireFormat, streamId: number): CatchUpBytes {
    const key = `${format.name}/${streamId}`;
    const catchUp = this.catchUp;
    let written = this.#written.get(key);
    const added: OutMessage[] = [];
    if (!written) {
      written = { pieces: [], messages: 0, pictures: 0 };
      if (this.#written.size < MAX_WRITTEN) this.#written.set(key, written);
      const first = catchUp.pictures[0] ?? { timestamp: 0 };
      for (const message of catchUp.dataFrames) added.push({ ...message, timestamp: 0 });
      for (const message of catchUp.headers) added.push(withTimeOf(first, message));
    }
    added.push(...catchUp.pictures.slice(written.pictures));
    if (added.length > 0) {
      written.pieces.push(serializeAll(format, added, streamId));
      if (written.pieces.length > MAX_PIECES) written.pieces = [Buffer.concat(written.pieces)];
      written.messages += added.length;
      written.pictures = catchUp.pictures.length;
    }
    return { pieces: [...written.pieces], messages: written.messages };
  }

  /** What changes between key frames belongs behind what is written already: whoever comes gets all anew. */
  #keep(kept: Map<string, OutMessage>, max: number, key: string, message: OutMessage): void {
    this.#written.clear();
    const before = kept.get(key);
    if (!before && kept.size >= max) return;
    // The newest comes last: it may be of a track that an older one of several tracks has, too.
    kept.delete(key);
    this.#headBytes -= before?.payload.length ?? 0;
    if (this.#headBytes + message.payload.length > this.#gopBytes()) return;
    this.#headBytes += message.payload.length;
    kept.set(key, keepable(message));
  }

  #begin(): void {
    this.#pictures = [];
    this.#beganAt = performance.now();
    this.#pictureBytes = 0;
    this.#written.clear();
  }

  #forgetPictures(): void {
    this.#entry.forget();
    this.#pictures = undefined;
    this.#beganAt = -Infinity;
    this.#pictureBytes = 0;
    this.#written.clear();
  }
}

/** A header goes with the first message that needs it. */
export function withTimeOf(
  { timestamp, shiftMs = 0 }: Pick<OutMessage, 'timestamp' | 'shiftMs'>,
  header: OutMessage,
): OutMessage {
  return { ...header, timestamp, shiftMs };
}

/** Messages as one piece of memory. */
export function serializeAll(format: WireFormat, messages: readonly OutMessage[], streamId: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(lengthOfAll(format, messages));
  writeAll(format, bytes, messages, streamId);
  return bytes;
}

/** A message that is kept may be a view: a small one would keep the whole buffer alive that it was read into. */
function keepable(message: OutMessage): OutMessage {
  const { payload } = message;
  return payload.length * 4 < payload.buffer.byteLength ? { ...message, payload: payload.slice() } : message;
}
