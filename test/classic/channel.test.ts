import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { DEADLINE_MS } from '../support/journal.ts';
import { keyFrame } from '../support/media.ts';
import { showTags } from '../support/recorded.ts';
import { type ClientStream, connect, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ classics: ['channel'] });
const soon = { timeout: DEADLINE_MS };

function write(room: string, name: string, first: number): void {
  const folder = join(server.appsFolder, 'channel/streams', room);
  mkdirSync(folder, { recursive: true });
  const flags = { hasAudio: true, hasVideo: true };
  writeFileSync(
    join(folder, `${name}.flv`),
    Buffer.concat([encodeFlvHeader(flags), ...showTags(2, first).map(encodeFlvTag)]),
  );
}

const pictures = (stream: ClientStream) =>
  stream.media
    .filter(({ type, payload }) => type === Type.Video && payload[1] === 1)
    .map(({ timestamp, payload }) => ({ timestamp, id: Buffer.from(payload.subarray(-4)).readUInt32BE() }));

test('a programme goes round and round without a gap, until a timer puts the news in its place', async () => {
  write('one', 'a', 0);
  write('one', 'b', 1000);
  const url = `${server.rtmp}/channel/one`;
  const director = await connect(url);
  const viewer = await (await connect(url)).createStream();
  await viewer.play('channel');
  expect(await director.call('setProgramme', ['a', 'b'], 0.4)).toBe(2);
  await director.call('begin', true);
  const keys = () =>
    pictures(viewer)
      .map(({ id }) => id)
      .filter((id) => id % 1000 === 0);
  await expect.poll(() => keys().slice(0, 5), soon).toEqual([0, 1000, 0, 1000, 0]);
  const shown = pictures(viewer);
  // Ten pictures of each, and never a step that is larger than two of them.
  expect(shown.slice(0, 20).map(({ id }) => id)).toEqual([
    ...Array.from({ length: 10 }, (_, i) => i),
    ...Array.from({ length: 10 }, (_, i) => 1000 + i),
  ]);
  for (const [i, { timestamp }] of shown.entries())
    if (i > 0) expect(timestamp - shown[i - 1]!.timestamp).toBeLessThanOrEqual(80);
  expect(viewer.codes.filter((code) => code.includes('ublishNotify'))).toEqual([
    'NetStream.Play.PublishNotify',
  ]);

  const reporter = await (await connect(url)).createStream();
  await reporter.publish('news');
  reporter.video(123_456, keyFrame(777_000));
  await reporter.settled();
  await director.call('interruptIn', 50, 'news');
  await viewer.waitForMedia(keyFrame(777_000));
  expect((await viewer.waitForData('onNews')).args).toEqual(['news']);
  await expect
    .poll(() => director.call('getLog') as Promise<string[]>, soon)
    .toEqual(
      expect.arrayContaining([
        'Play.Reset a',
        'Play.Start a',
        'Play.Start b',
        'Play.Reset news',
        'Play.Start news',
      ]),
    );
  expect(await director.call('end')).toBe(true);
  await viewer.status('NetStream.Play.UnpublishNotify');
});
