import { expect } from 'vitest';
import { RunningTool } from './media-tools.ts';

/** A packet as ffprobe sees it; times in milliseconds. */
export interface Packet {
  pts: number;
  dts: number;
  size: number;
  isKey: boolean;
}

/** The packets of one track, in their order in the file. */
export async function packetsOf(file: string, track: 'v' | 'a'): Promise<Packet[]> {
  const { code, output, errors } = await new RunningTool('ffprobe', [
    ...['-v', 'error', '-select_streams', track, '-show_packets'],
    ...['-show_entries', 'packet=pts_time,dts_time,size,flags', '-of', 'json', file],
  ]).end();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  const { packets } = JSON.parse(output) as { packets: Record<string, string>[] };
  return packets.map(({ pts_time, dts_time, size, flags }) => ({
    pts: Number(pts_time) * 1000,
    dts: Number(dts_time) * 1000,
    size: Number(size),
    isKey: flags?.startsWith('K') === true,
  }));
}

/** Both have the same packets in the same order. Times differ by one number for each kind of them, and by `withinMs`. */
export function expectSamePackets(ours: Packet[], theirs: Packet[], withinMs: number): void {
  const bare = (packets: Packet[]) => packets.map(({ size, isKey }) => ({ size, isKey }));
  expect(ours.length).toBeGreaterThan(0);
  expect(bare(ours)).toEqual(bare(theirs));
  for (const time of ['pts', 'dts'] as const) {
    const apart = ours.map((packet, i) => packet[time] - theirs[i]![time]);
    expect(Math.max(...apart) - Math.min(...apart)).toBeLessThanOrEqual(withinMs);
  }
}

/** Decodes the file from its start to its end without a word of complaint. */
export async function expectDecodable(file: string): Promise<void> {
  const { code, errors } = await new RunningTool('ffmpeg', [
    '-v',
    'error',
    '-i',
    file,
    '-f',
    'null',
    '-',
  ]).end();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
}

/** Runs ffmpeg, which has nothing to complain of. */
export async function ffmpeg(...args: string[]): Promise<void> {
  const { code, errors } = await new RunningTool('ffmpeg', ['-v', 'error', '-y', ...args]).end();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
}
