import { MessageType, type RtmpMessage } from '../../../../wire/messages.ts';
import { PART, type Part } from '../container.ts';
import type { FileBytes } from '../file-bytes.ts';
import { FileProblem } from '../problem.ts';
import type { Codec } from './codecs.ts';
import { type Cursor, positionOf } from './cursor.ts';
import { codecOf, type Track } from './tracks.ts';

/** Samples closer together are read in one go. */
const GAP_BYTES = 16 * 1024;
const RUN_BYTES = 1024 * 1024;

interface Chosen {
  readonly track: Track;
  readonly sample: number;
  readonly codec: Codec;
  /** Whether this is the configuration in front of the sample. */
  readonly isConfig: boolean;
  /** Where its message begins in the buffer. */
  readonly at: number;
}

/** The messages from a position on: samples of both tracks, the earlier one first. */
export async function readMp4Part(
  file: FileBytes,
  video: Track | undefined,
  audio: Track | undefined,
  cursor: Cursor,
): Promise<Part> {
  const { chosen, bytes, next } = choose(video, audio, cursor);
  const buffer = new Uint8Array(bytes);
  await loadSamples(file, buffer, chosen);
  const messages = chosen.map((each) => messageOf(buffer, each));
  return { messages, next, endMs: messages.at(-1)?.timestamp ?? 0 };
}

function choose(video: Track | undefined, audio: Track | undefined, { video: v, audio: a }: Cursor) {
  const chosen: Chosen[] = [];
  let bytes = 0;
  let firstTime: number | undefined;
  for (;;) {
    const hasVideo = video !== undefined && v < video.samples.count;
    const hasAudio = audio !== undefined && a < audio.samples.count;
    if (!hasVideo && !hasAudio) return { chosen, bytes, next: undefined };
    const isVideo = hasVideo && (!hasAudio || video.samples.timeOf(v) <= audio.samples.timeOf(a));
    const track = isVideo ? video : audio!;
    const sample = isVideo ? v : a;

    const time = track.samples.timeOf(sample);
    firstTime ??= time;
    const codec = codecOf(track, sample);
    const config = sample > track.first && track.samples.isChange(sample) ? codec.config : undefined;
    const length = track.samples.bytesOf(sample) + codec.headBytes + (config?.length ?? 0);
    const isFull = bytes >= PART.enoughBytes || bytes + length > PART.maxBytes;
    if (chosen.length > 0 && (isFull || time - firstTime >= PART.spanMs || chosen.length === PART.messages)) {
      return { chosen, bytes, next: positionOf({ video: v, audio: a }) };
    }
    if (config) chosen.push({ track, sample, codec, isConfig: true, at: bytes });
    chosen.push({ track, sample, codec, isConfig: false, at: bytes + (config?.length ?? 0) });
    bytes += length;
    if (isVideo) v++;
    else a++;
  }
}

/** Reads in the order of the file, and in as few pieces as it takes. */
async function loadSamples(file: FileBytes, buffer: Uint8Array, chosen: readonly Chosen[]): Promise<void> {
  const inFile = chosen
    .filter(({ isConfig }) => !isConfig)
    .map(({ track: { samples }, sample, codec, at }) => ({
      offset: samples.offsetOf(sample),
      bytes: samples.bytesOf(sample),
      at: at + codec.headBytes,
    }));
  inFile.sort((one, other) => one.offset - other.offset);

  for (let from = 0; from < inFile.length; ) {
    const start = inFile[from]!.offset;
    let end = start + inFile[from]!.bytes;
    let to = from + 1;
    for (; to < inFile.length; to++) {
      const { offset, bytes } = inFile[to]!;
      if (offset > end + GAP_BYTES || offset + bytes - start > RUN_BYTES) break;
      end = Math.max(end, offset + bytes);
    }
    const run = await file.take(start, end - start);
    if (run.length < end - start) throw new FileProblem('io', 'the file was cut short');
    for (; from < to; from++) {
      const { offset, bytes, at } = inFile[from]!;
      buffer.set(run.subarray(offset - start, offset - start + bytes), at);
    }
  }
}

function messageOf(
  buffer: Uint8Array,
  { track: { samples }, sample, codec, isConfig, at }: Chosen,
): RtmpMessage {
  const type = codec.isVideo ? MessageType.Video : MessageType.Audio;
  const timestamp = samples.timeOf(sample);
  if (isConfig) {
    const payload = buffer.subarray(at, at + codec.config!.length);
    payload.set(codec.config!);
    return { type, streamId: 0, timestamp, payload };
  }
  const payload = buffer.subarray(at, at + codec.headBytes + samples.bytesOf(sample));
  codec.writeHead(payload, samples.isKey(sample), samples.compositionOf(sample));
  return { type, streamId: 0, timestamp, payload };
}
