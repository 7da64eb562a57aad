import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { MediaFile, Segment } from '../../../../host/streams/files/media-files.ts';
import { parseAudioHead, parseVideoHead } from '../../../../wire/media-head.ts';
import { MessageType, type RtmpMessage } from '../../../../wire/messages.ts';

export const picture = (seconds: number, rate = 25) => [
  '-f',
  'lavfi',
  '-i',
  `testsrc=size=160x120:rate=${rate}:duration=${seconds}`,
];
export const tone = (seconds: number) => ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`];

/** H.264 with B-frames and two key frames a second of 25 pictures, and AAC. */
export const avcAac = '-c:v libx264 -preset veryfast -bf 2 -g 12 -pix_fmt yuv420p -c:a aac -b:a 64k'.split(
  ' ',
);

/** Makes a small real file. */
export function makeMedia(folder: string, name: string, ...options: string[]): string {
  const file = join(folder, name);
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...options, file], { stdio: ['ignore', 'ignore', 'inherit'] });
  return file;
}

export interface Packet {
  readonly kind: 'audio' | 'video';
  readonly dtsMs: number;
  readonly ptsMs: number;
  readonly isKey: boolean;
  readonly bytes: number;
}

/** What FFmpeg finds in a file, in the order of the file. */
export function probePackets(file: string, ...options: string[]): Packet[] {
  const entries = 'packet=codec_type,pts_time,dts_time,flags,size';
  const output = execFileSync(
    'ffprobe',
    ['-v', 'error', ...options, '-show_packets', '-show_entries', entries, '-of', 'json', file],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  const { packets } = JSON.parse(output) as { packets: Record<string, string>[] };
  return packets.map((packet) => ({
    kind: packet.codec_type as 'audio' | 'video',
    dtsMs: Math.round(Number(packet.dts_time) * 1000),
    ptsMs: Math.round(Number(packet.pts_time) * 1000),
    isKey: packet.flags!.startsWith('K'),
    bytes: Number(packet.size),
  }));
}

/** The frames among messages as packets; configurations and data are none. */
export function packetsOf(messages: readonly RtmpMessage[]): Packet[] {
  return messages.flatMap((message) => packetOf(message) ?? []);
}

function packetOf({ type, timestamp, payload }: RtmpMessage): Packet | undefined {
  if (type === MessageType.Audio) {
    const head = parseAudioHead(payload)!;
    if (head.aacPacketType === 0) return undefined;
    return { kind: 'audio', dtsMs: timestamp, ptsMs: timestamp, isKey: true, bytes: head.data.length };
  }
  if (type !== MessageType.Video) return undefined;
  const head = parseVideoHead(payload)!;
  if (head.packetType === 0 || head.packetType === 2) return undefined;
  const ptsMs = timestamp + (head.compositionTime ?? 0);
  return { kind: 'video', dtsMs: timestamp, ptsMs, isKey: head.frameType === 1, bytes: head.data.length };
}

/** Every segment of a file from a position on. */
export async function segmentsFrom(file: MediaFile, position: number): Promise<Segment[]> {
  const segments: Segment[] = [];
  let next: number | undefined = position;
  while (next !== undefined) {
    const segment: Segment = await file.read(next);
    segments.push(segment);
    next = segment.next;
  }
  return segments;
}

/** All messages of a file, as a viewer gets them who starts at its beginning. */
export async function everythingIn(file: MediaFile): Promise<RtmpMessage[]> {
  const { position } = await file.seek(0);
  const headers = await file.headersAt(position);
  const segments = await segmentsFrom(file, position);
  return [...headers, ...segments.flatMap(({ messages }) => messages)];
}
