import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../../test/support/journal.ts';
import { keyFrame } from '../../test/support/media.ts';
import {
  expectPlayable,
  makeClip,
  publishFile,
  RunningTool,
  scratchFolder,
} from '../../test/support/media-tools.ts';
import { connect } from '../../test/support/rtmp-client.ts';
import { useServer } from '../../test/support/server.ts';
import { requireTools } from '../../test/support/tools.ts';

const server = useServer({ samples: ['live'] });
const live = (path = '') => `${server.rtmp}/live${path}`;

test('only the right key publishes; anybody may watch', async () => {
  const client = await connect(live());
  const stream = await client.createStream();
  for (const name of ['demo', 'demo?key=', 'demo?key=wrong', 'other?key=stage-door', 'demo?Key=stage-door']) {
    expect((await stream.publish(name)).code, name).toBe('NetStream.Publish.BadName');
  }
  await server.waitForLog('may not publish demo: wrong key');
  await server.waitForLog('may not publish demo: no key');
  expect((await stream.publish('demo?key=stage-door')).code).toBe('NetStream.Publish.Start');
  await server.waitForLog('demo is on air from 127.0.0.1');

  const viewer = await (await connect(live())).createStream();
  expect((await viewer.play('demo')).code).toBe('NetStream.Play.Start');
  stream.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  await client.close();
  await server.waitForLog('demo is off air');
});

test('ffmpeg publishes; ffmpeg and rtmpdump record both tracks without an error', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe', 'rtmpdump');
  const folder = scratchFolder();
  const clip = await makeClip(folder, 4);
  const files = {
    early: join(folder, 'early.flv'),
    dump: join(folder, 'dump.flv'),
    late: join(folder, 'late.flv'),
    lateDump: join(folder, 'late-dump.flv'),
  };
  const record = (file: string) =>
    new RunningTool('ffmpeg', ['-v', 'error', '-i', live('/demo'), '-c', 'copy', '-f', 'flv', file]);

  const from = server.log.mark;
  const early = record(files.early);
  const dumpTo = (file: string) => new RunningTool('rtmpdump', ['-q', '-v', '-r', live('/demo'), '-o', file]);
  const dump = dumpTo(files.dump);
  await eventually('both players to wait', async () => (await viewers()) === 2);
  const publisher = publishFile(clip, live('/demo?key=stage-door'));
  await server.waitForLog('demo is on air', from);
  await eventually('the first second', () => sizeOf(files.dump) > 20_000);
  const late = record(files.late);
  const lateDump = dumpTo(files.lateDump);
  await eventually('the late players', async () => (await viewers()) === 4);

  expect(await publisher.end()).toMatchObject({ code: 0, errors: '' });
  await Promise.all([early.end(), dump.end(), late.end(), lateDump.end()]);
  await expectPlayable(files.early, { atLeast: 3.5 });
  await expectPlayable(files.dump, { atLeast: 3.5 });
  await expectPlayable(files.late, { atLeast: 0.5 });
  await expectPlayable(files.lateDump, { atLeast: 0.5 });
});

test('ffmpeg with a wrong key is refused', async (context) => {
  requireTools(context, 'ffmpeg');
  const clip = await makeClip(scratchFolder(), 1);
  const { code, errors } = await publishFile(clip, live('/demo?key=wrong')).end();
  expect(code).not.toBe(0);
  expect(errors).not.toBe('');
});

async function viewers(): Promise<number> {
  const answer = await fetch(`${server.http}/api/instances`);
  const { instances } = (await answer.json()) as {
    instances: { streams: { name: string; viewers: number }[] }[];
  };
  return instances.flatMap(({ streams }) => streams).find(({ name }) => name === 'demo')?.viewers ?? 0;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
