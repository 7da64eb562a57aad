import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Setup } from '../../../../client/media/codecs/setup.ts';
import { Muxer } from '../../../../client/media/fmp4/muxer.ts';
import type { Segment } from '../../../../client/media/fmp4/track-muxer.ts';
import { ByteReader } from '../../../../wire/bytes.ts';
import { decodeFlvHeader, decodeFlvTag } from '../../../../wire/flv.ts';
import { MessageType } from '../../../../wire/messages.ts';

export interface Message {
  type: number;
  timestamp: number;
  payload: Uint8Array;
}

export interface Probed {
  codec: string;
  dtsMs: number;
  ptsMs: number;
  durationMs: number;
  isKey: boolean;
  bytes: number;
}

export const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** Every message of an FLV file. */
export function messagesOfFlv(file: string): Message[] {
  const reader = new ByteReader(readFileSync(file));
  decodeFlvHeader(reader);
  const messages: Message[] = [];
  for (let tag = decodeFlvTag(reader); tag; tag = decodeFlvTag(reader)) messages.push(tag);
  return messages;
}

/** Sound of any file as messages with the enhanced head, as ffprobe reads it. */
export function enhancedAudioOf(file: string, fourCc: string): Message[] {
  const { streams, packets } = probe(file, '-show_streams', '-show_packets', '-show_data');
  const message = (type: number, timestamp: number, data: Uint8Array): Message => {
    const payload = Buffer.concat([Uint8Array.of(0x90 | type), Buffer.from(fourCc), data]);
    return { type: MessageType.Audio, timestamp, payload };
  };
  const { extradata } = streams[0]!;
  const config = extradata === undefined ? [] : [message(0, 0, dumped(extradata))];
  const frames = packets.map(({ pts_time, data }) =>
    message(1, Math.round(Number(pts_time) * 1000) >>> 0, dumped(data!)),
  );
  return [...config, ...frames];
}

export interface Muxed {
  segments: Segment[];
  setups: Setup[];
  unsupported: string[];
  muxer: Muxer;
}

export function mux(messages: readonly Message[]): Muxed {
  const muxed: Omit<Muxed, 'muxer'> = { segments: [], setups: [], unsupported: [] };
  const muxer = new Muxer({
    segment(segment) {
      muxed.segments.push(segment);
      if (segment.setup) muxed.setups.push(segment.setup);
    },
    unsupported: (kind, codec) => void muxed.unsupported.push(`${kind} ${codec}`),
  });
  for (const { type, timestamp, payload } of messages) muxer.message(type, timestamp, payload);
  muxer.flush();
  return { ...muxed, muxer };
}

/** The packets of one track as ffprobe finds them in what was muxed. */
export function probeSegments(
  folder: string,
  segments: readonly Segment[],
  kind: 'audio' | 'video',
): Probed[] {
  const file = join(folder, `${kind}.mp4`);
  writeFileSync(file, Buffer.concat(segments.filter((one) => one.kind === kind).map(({ bytes }) => bytes)));
  return probeFile(file, kind);
}

export function probeFile(file: string, kind: 'audio' | 'video'): Probed[] {
  const { streams, packets } = probe(file, '-select_streams', kind[0]!, '-show_streams', '-show_packets');
  const ms = (text = 'NaN') => Math.round(Number(text) * 1000);
  return packets.map((packet) => ({
    codec: streams[0]!.codec_name!,
    dtsMs: ms(packet.dts_time),
    ptsMs: ms(packet.pts_time),
    durationMs: ms(packet.duration_time),
    isKey: packet.flags!.startsWith('K'),
    bytes: Number(packet.size),
  }));
}

function probe(file: string, ...options: string[]) {
  const output = execFileSync('ffprobe', ['-v', 'error', ...options, '-of', 'json', file], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output) as { streams: Record<string, string>[]; packets: Record<string, string>[] };
}

/** The bytes in ffprobe's own kind of hex dump. */
function dumped(dump: string): Uint8Array {
  const lines = dump.split('\n').map((line) => /^[0-9a-f]{8}: ((?:[0-9a-f]{2,4} )+)/.exec(line)?.[1] ?? '');
  return hex(lines.join('').replaceAll(' ', ''));
}
