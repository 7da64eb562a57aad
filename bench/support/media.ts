/** Synthetic live media: bodies that are valid FLV (H.264 and AAC heads), filled with noise, and stamped. */
import { randomFillSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { aacHeader, avcHeader } from '../../test/support/media.ts';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';

/** Of the stream that most is measured with. */
export const KBPS = 2500;
const FRAMES_PER_SECOND = 30;
/** From one key frame to the next. */
export const GROUP_SECONDS = 2;
const FRAMES_PER_GROUP = FRAMES_PER_SECOND * GROUP_SECONDS;
/** An AAC frame is 1024 samples. */
const PACKETS_PER_SECOND = 44_100 / 1024;
/** A key frame has the size of so many others. */
const KEY_FRAME_WEIGHT = 8;

/** At the end of each body: who it is from, and when it was sent, by `performance.now()` of this process. */
const MARK = 0x5374_6757;
const STAMP_BYTES = 12;

export interface Sent {
  /** Of bodies. */
  bytes: number;
  messages: number;
  /** How late the latest message was. */
  lateMs: number;
}

/** What one publisher sends, message by message, at the pace of the media. */
export class MediaSource {
  readonly #key: Buffer;
  readonly #inter: Buffer;
  readonly #audio: Buffer;
  readonly #kbps: number;
  #frames = 0;
  #packets = 0;

  constructor(kbps: number) {
    const audioKbps = kbps > 1000 ? 128 : 64;
    const interBytes = ((kbps - audioKbps) * 125 * GROUP_SECONDS) / (FRAMES_PER_GROUP - 1 + KEY_FRAME_WEIGHT);
    this.#kbps = kbps;
    this.#key = videoBody(0x17, 0x65, Math.round(interBytes * KEY_FRAME_WEIGHT));
    this.#inter = videoBody(0x27, 0x41, Math.round(interBytes));
    this.#audio = audioBody(Math.round((audioKbps * 125) / PACKETS_PER_SECOND));
  }

  /** What comes first: data, codec headers and a key frame, after which others may join. */
  opening(): RtmpMessage[] {
    const metadata = { width: 1280, height: 720, framerate: FRAMES_PER_SECOND, videodatarate: this.#kbps };
    const data = encodeAmf0([
      '@setDataFrame',
      'onMetaData',
      { ...metadata, videocodecid: 7, audiocodecid: 10 },
    ]);
    return [
      { type: MessageType.DataAmf0, streamId: 1, timestamp: 0, payload: data },
      { type: MessageType.Video, streamId: 1, timestamp: 0, payload: avcHeader },
      { type: MessageType.Audio, streamId: 1, timestamp: 0, payload: aacHeader },
      this.next(),
    ];
  }

  /** A key frame now, for those who got none when they joined. */
  keyFrame(): RtmpMessage {
    this.#frames = Math.ceil(this.#frames / FRAMES_PER_GROUP) * FRAMES_PER_GROUP;
    this.#packets = Math.ceil((this.#frames / FRAMES_PER_SECOND) * PACKETS_PER_SECOND);
    return this.next();
  }

  /**
   * Sends so many seconds of it, in real time. A multiple of two seconds ends with a key frame: late joiners get little
   * then, and the next piece goes on where this one ended.
   */
  async play(seconds: number, send: (message: RtmpMessage) => void): Promise<Sent> {
    const sent = { bytes: 0, messages: 0, lateMs: 0 };
    const from = (this.#frames - 1) / FRAMES_PER_SECOND;
    const end = this.#frames + seconds * FRAMES_PER_SECOND;
    const startedAt = performance.now();
    while (this.#frames < end) {
      const dueMs = startedAt + (this.#dueAt - from) * 1000 - performance.now();
      if (dueMs > 0) {
        await sleep(dueMs);
        continue;
      }
      const message = this.next();
      send(message);
      sent.bytes += message.payload.length;
      sent.messages++;
      sent.lateMs = Math.max(sent.lateMs, -dueMs);
    }
    return sent;
  }

  /** Seconds from the opening at which the next message is due. */
  get #dueAt(): number {
    return Math.min(this.#frames / FRAMES_PER_SECOND, this.#packets / PACKETS_PER_SECOND);
  }

  /** The next message, stamped now. */
  next(): RtmpMessage {
    const frameAt = this.#frames / FRAMES_PER_SECOND;
    const packetAt = this.#packets / PACKETS_PER_SECOND;
    if (packetAt < frameAt) {
      this.#packets++;
      return message(MessageType.Audio, packetAt, this.#audio);
    }
    const isKey = this.#frames++ % FRAMES_PER_GROUP === 0;
    return message(MessageType.Video, frameAt, isKey ? this.#key : this.#inter);
  }
}

/** How long this body was under way; undefined when it is none of ours. */
export function ageMsOf(payload: Uint8Array): number | undefined {
  if (payload.length < STAMP_BYTES + 2) return undefined;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const at = payload.length - STAMP_BYTES;
  return bytes.readUInt32BE(at) === MARK ? performance.now() - bytes.readDoubleBE(at + 4) : undefined;
}

function message(type: number, seconds: number, body: Buffer): RtmpMessage {
  const payload = Buffer.from(body);
  const at = payload.length - STAMP_BYTES;
  payload.writeUInt32BE(MARK, at);
  payload.writeDoubleBE(performance.now(), at + 4);
  return { type, streamId: 1, timestamp: Math.round(seconds * 1000), payload };
}

/** FLV video tag body: frame and codec, AVC NALU, no composition time; then one NAL unit behind its length. */
function videoBody(head: number, nalType: number, sizeBytes: number): Buffer {
  const body = randomFillSync(Buffer.alloc(sizeBytes));
  body.writeUIntBE(head, 0, 1);
  body.writeUInt32BE(0x01000000, 1);
  body.writeUInt32BE(sizeBytes - 9, 5);
  body[9] = nalType;
  return body;
}

/** FLV audio tag body: AAC, 44 kHz, 16 bit, stereo; raw. */
function audioBody(sizeBytes: number): Buffer {
  const body = randomFillSync(Buffer.alloc(sizeBytes));
  body.writeUInt16BE(0xaf01, 0);
  return body;
}
