import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../../../host/base/log.ts';
import { PictureClock, SoundClock } from '../../../../host/streams/remux/clocks.ts';
import { remux } from '../../../../host/streams/remux/remux.ts';
import { Remuxer } from '../../../../host/streams/remux/remuxer.ts';
import { encodeFlvHeader, encodeFlvTag } from '../../../../wire/flv.ts';
import { Journal } from '../../../support/journal.ts';
import { scratchFolder } from '../../../support/media-tools.ts';
import { expectDecodable, ffmpeg, packetsOf } from '../../../support/packets.ts';
import { showTags, type Tag } from '../../../support/recorded.ts';
import { requireTools } from '../../../support/tools.ts';

const silent = () => {};
const flvOf = (tags: readonly Tag[]) =>
  Buffer.concat([encodeFlvHeader({ hasAudio: true, hasVideo: true }), ...tags.map(encodeFlvTag)]);

function setUp(flv: Uint8Array): { from: string; to: string } {
  const folder = scratchFolder();
  const from = join(folder, 'show.flv');
  writeFileSync(from, flv);
  return { from, to: join(folder, 'show.mp4') };
}

test('so much of the disk stays free as has to, and then nothing is begun', async () => {
  const files = setUp(flvOf(showTags(1)));
  const freeDiskMb = Number.MAX_SAFE_INTEGER;
  await expect(remux({ ...files, freeDiskMb }, silent)).rejects.toThrow('limits.freeDiskMb');
  expect(existsSync(files.to)).toBe(false);
});

test('a file with garbage in it is no file to throw away for its MP4', async () => {
  const files = setUp(Buffer.concat([flvOf(showTags(1)), Buffer.from('not a tag of any kind')]));
  await expect(remux({ ...files, freeDiskMb: 0 }, silent)).rejects.toThrow('it is damaged');
  expect(existsSync(files.to)).toBe(false);
});

test('what is there is not written over', async () => {
  const files = setUp(flvOf(showTags(1)));
  writeFileSync(files.to, 'somebody’s');
  await expect(remux({ ...files, freeDiskMb: 0 }, silent)).rejects.toThrow('EEXIST');
  expect(readFileSync(files.to, 'utf8')).toBe('somebody’s');
});

test('the whole is 100 percent, and it is told on the way', async () => {
  const files = setUp(flvOf(showTags(60)));
  const told: number[] = [];
  const { durationMs } = await remux({ ...files, freeDiskMb: 0 }, (percent) => told.push(percent));
  expect(durationMs).toBe(59_970);
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  expect(told.at(-1)).toBeGreaterThan(90);
  expect(told.at(-1)).toBeLessThanOrEqual(100);
});

test('what is given up many times at once ends once, without a word of Node’s', async () => {
  const warnings: Error[] = [];
  const hear = (warning: Error) => warnings.push(warning);
  process.on('warning', hear);
  onTestFinished(() => void process.off('warning', hear));
  const { from, to } = setUp(flvOf(showTags(600)));
  const lines = new Journal<string>('the log', (line) => line);
  const log = createLog({ format: 'json', out: { write: (text: string) => lines.add(text) } });
  const remuxer = new Remuxer();
  remuxer.add({ from, to, isMoved: false, freeDiskMb: 0, log });
  await lines.waitFor('the beginning', (line) => line.includes('making show.mp4'));
  for (let i = 0; i < 20; i++) void remuxer.giveUp(from, 'it is recorded again');
  await remuxer.close();
  await new Promise((resolve) => setImmediate(resolve)); // warnings come a little later
  expect(lines.entries.filter((line) => line.includes('E_REMUX'))).toHaveLength(1);
  expect(existsSync(to)).toBe(false);
  expect(warnings).toEqual([]);
});

test('Opus keeps its packets', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const ogg = join(scratchFolder(), 'tone.ogg');
  await ffmpeg('-f', 'lavfi', '-i', 'sine=frequency=440:duration=2', '-c:a', 'libopus', ogg);
  const [head, , ...packets] = oggPackets(readFileSync(ogg));
  const tag = (timestamp: number, type: number, data: Uint8Array): Tag => {
    return {
      type: 8,
      timestamp,
      payload: Buffer.concat([Buffer.from([0x90 | type]), Buffer.from('Opus'), data]),
    };
  };
  const tags = [tag(0, 0, head!), ...packets.map((packet, i) => tag(i * 20, 1, packet))];
  const files = setUp(flvOf(tags));
  await remux({ ...files, freeDiskMb: 0 }, silent);
  const ours = await packetsOf(files.to, 'a');
  expect(ours.map(({ size }) => size)).toEqual(packets.map(({ length }) => length));
  await expectDecodable(files.to);
});

/** RFC 3533, section 6: a packet ends with the first segment of less than 255 bytes. */
function oggPackets(file: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  let open: Buffer[] = [];
  for (let page = 0; page < file.length; ) {
    const segments = file[page + 26]!;
    let at = page + 27 + segments;
    for (const length of file.subarray(page + 27, page + 27 + segments)) {
      open.push(file.subarray(at, at + length));
      at += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(open));
      open = [];
    }
    page = at;
  }
  return packets;
}

test('sound that was rounded to milliseconds follows on without gaps, and a gap stays one', () => {
  const clock = new SoundClock(44_100);
  const times = Array.from({ length: 100 }, (_, i) => Math.floor((i * 1024 * 1000) / 44_100));
  expect(times.map((ms) => clock.map(ms, 1024))).toEqual(times.map((_, i) => i * 1024));
  expect(clock.map(10_000, 1024)).toBe(441_000);
  // A clock that goes back: as early as may be, until it has caught up.
  expect(clock.map(9000, 1024)).toBe(442_024);
  expect(clock.map(9023, 1024)).toBe(442_025);
});

test('pictures of a source that begins before the last one has ended come behind that', () => {
  const clock = new PictureClock();
  const shown = [
    [80, true],
    [200, false],
    [120, false],
    [160, false],
    [190, true],
    [230, false],
  ] as const;
  expect(shown.map(([ms, isKey]) => clock.map(ms, isKey))).toEqual([80, 200, 120, 160, 201, 230]);
});
