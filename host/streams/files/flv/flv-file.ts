import { ByteReader } from '../../../../wire/bytes.ts';
import { decodeFlvTagHeader, flvHeaderBytes, flvTagHeaderBytes } from '../../../../wire/flv.ts';
import type { RtmpMessage } from '../../../../wire/messages.ts';
import type { Container, MediaInfo, Part, Place } from '../container.ts';
import type { FileBytes } from '../file-bytes.ts';
import { FileProblem } from '../problem.ts';
import { decodeMetadata, encodeMetadata, type KeyFrameList, keyFrameList } from './flv-metadata.ts';
import { readFlvPart } from './flv-part.ts';
import { FlvScan } from './flv-scan.ts';
import { FlvSeeker } from './flv-seeker.ts';
import { readFlvTail } from './flv-tail.ts';

/** How far to look for what a file has. */
const HEAD_BYTES = 1024 * 1024;
const HEAD_TAGS = 500;
/** Going through the tags of a smaller file is quick, and says more than its list of key frames. */
const QUICK_BYTES = 32 * 1024 * 1024;

/** FLV (Video File Format 10.1, annex E): tags, each of them one RTMP message. */
export class FlvFile implements Container {
  readonly info: MediaInfo;
  readonly #file: FileBytes;
  readonly #scan: FlvScan;
  readonly #seeker: FlvSeeker;
  /** Where reading from the start begins. */
  readonly #start: number;

  private constructor(
    file: FileBytes,
    scan: FlvScan,
    info: MediaInfo,
    list: KeyFrameList | undefined,
    start: number,
  ) {
    this.#file = file;
    this.#scan = scan;
    this.info = info;
    this.#start = start;
    this.#seeker = new FlvSeeker(file, scan, info, list);
  }

  static async open(file: FileBytes): Promise<FlvFile> {
    const start = await firstTagOf(file);
    const scan = new FlvScan(file, start);
    await scan.until(() => isHeadRead(scan, start));
    const tail = scan.isAtEnd ? undefined : await readFlvTail(file, start);
    if (!tail) await scan.until(() => false);

    const durationMs = tail?.lastTimestamp ?? scan.lastTimestamp;
    const properties = await readMetadata(file, scan);
    const info: MediaInfo = {
      kind: 'flv',
      durationMs,
      bytes: file.sizeBytes,
      metadata:
        scan.first || properties ? encodeMetadata(properties ?? {}, durationMs, file.sizeBytes) : undefined,
      hasVideo: scan.hasVideo || tail?.hasVideo === true,
      hasAudio: scan.hasAudio || tail?.hasAudio === true,
    };
    const isListed = properties && file.sizeBytes > QUICK_BYTES;
    const list = isListed ? keyFrameList(properties, file.sizeBytes) : undefined;
    return new FlvFile(file, scan, info, list, start);
  }

  get memoryBytes(): number {
    return this.#scan.memoryBytes + this.#seeker.memoryBytes + (this.info.metadata?.length ?? 0);
  }

  async seek(positionMs: number): Promise<Place> {
    const isBeyondEnd = positionMs > this.info.durationMs;
    const found = await this.#seeker.find(isBeyondEnd ? Number.MAX_VALUE : positionMs);
    const { position, timestampMs } = found ?? {
      position: this.#start,
      timestampMs: this.#scan.first?.timestamp ?? 0,
    };
    return { position, timestampMs, isBeyondEnd };
  }

  /**
   * What was in force there before the message at the position, with its time. In a long file with a list of key frames, as long as
   * nobody has gone through it, that is what it began with.
   */
  async headersAt(position: number): Promise<RtmpMessage[]> {
    if (!this.#seeker.isListed) await this.#scan.until(() => this.#scan.position >= position);
    const inForce = new Map<string, RtmpMessage>();
    const timestamp = await this.#timeAt(position);
    for (const { key, tag } of this.#scan.configs) {
      if (tag.position >= position) break;
      const { type, bodyAt, sizeBytes } = tag;
      const payload = await this.#file.take(bodyAt, sizeBytes);
      if (payload.length < sizeBytes) throw new FileProblem('io', 'the file was cut short');
      inForce.delete(key);
      inForce.set(key, { type, streamId: 0, timestamp, payload });
    }
    return [...inForce.values()];
  }

  /** Players count from the first message that they get. */
  async #timeAt(position: number): Promise<number> {
    const head = await this.#file.take(position, flvTagHeaderBytes);
    const isWhole = head.length === flvTagHeaderBytes;
    return isWhole ? Math.max(0, decodeFlvTagHeader(new ByteReader(head)).timestamp) : this.info.durationMs;
  }

  read(position: number): Promise<Part> {
    return readFlvPart(this.#file, position, this.#scan.metadata?.position);
  }
}

/** Where the tags begin. */
export async function firstTagOf(file: FileBytes): Promise<number> {
  const head = await file.take(0, flvHeaderBytes);
  if (head.length < 9) throw new FileProblem('structure', 'the FLV header is cut off');
  const headerBytes = new ByteReader(head, 5).u32();
  // Nobody has ever made a longer one on purpose.
  return headerBytes >= 9 && headerBytes <= 1024 ? headerBytes + 4 : flvHeaderBytes;
}

function isHeadRead(scan: FlvScan, start: number): boolean {
  const hasSeenAll = scan.hasAudio && scan.hasVideo && scan.keyFrames.count > 0;
  return hasSeenAll || scan.tags >= HEAD_TAGS || scan.position - start >= HEAD_BYTES;
}

async function readMetadata(file: FileBytes, scan: FlvScan) {
  const tag = scan.metadata;
  return tag && decodeMetadata(tag.type, await file.take(tag.bodyAt, tag.sizeBytes));
}
