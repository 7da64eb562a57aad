import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FlvClient } from '../support/flv-client.ts';
import { eventually } from '../support/journal.ts';
import { makeClip, packetsOf, publishFile, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { connect } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

/** What people have, at a server that is an edge: FFmpeg, rtmpdump, a page's WebSocket, a player over HTTP. */
const edgeSecret = 'what edges and origins share';
const echo = {
  'main.js': 'application.onConnect = (client) => { client.echo = (value) => value; return true; };',
};

test('FFmpeg publishes at an edge; rtmpdump and a player over HTTP have all of it at another, and a recording', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe', 'rtmpdump');
  const folder = scratchFolder();
  const clip = await makeClip(folder, 4);
  const origin = await startServer({ apps: { live: { 'README.md': 'no script' } }, edgeSecret });
  const recorded = join(origin.appsFolder, 'live/streams/_definst_');
  mkdirSync(recorded, { recursive: true });
  writeFileSync(join(recorded, 'old.flv'), readFileSync(clip));
  const [one, other] = await Promise.all([
    startServer({ edgeOf: origin.rtmp, edgeSecret }),
    startServer({ edgeOf: origin.rtmp, edgeSecret }),
  ]);
  await Promise.all([one, other].map((edge) => edge.waitForLog('is an edge of')));

  const dumped = join(folder, 'dump.flv');
  const dump = new RunningTool('rtmpdump', ['-q', '--live', '-r', `${other.rtmp}/live/show`, '-o', dumped]);
  const watching = FlvClient.open(`${other.http}/live/_definst_/show.flv`);
  const publisher = publishFile(clip, `${one.rtmp}/live/show`);
  expect((await publisher.end()).code).toBe(0);
  await dump.end();
  const viewer = await watching;
  const sizes = (file: string, type: string) =>
    packetsOf(file).then((all) =>
      all.filter(({ codec_type }) => codec_type === type).map(({ size }) => size),
    );
  for (const type of ['video', 'audio']) expect(await sizes(dumped, type)).toEqual(await sizes(clip, type));
  const frames = (await sizes(clip, 'video')).length;
  await eventually(
    'all pictures over HTTP',
    () => viewer.tags.entries.filter(({ type, payload }) => type === 9 && payload[1] === 1).length === frames,
  );

  const old = join(folder, 'old.flv');
  expect(
    (await new RunningTool('rtmpdump', ['-q', '-r', `${other.rtmp}/live/old`, '-o', old]).end()).code,
  ).toBe(0);
  expect(await sizes(old, 'video')).toEqual(await sizes(clip, 'video'));
});

test('a client over WebSocket is one of the origin, as far as the application lets its pages', async () => {
  const origin = await startServer({ apps: { echo, closed: { 'app.json': '{ "cors": [] }' } }, edgeSecret });
  const edge = await startServer({ edgeOf: origin.rtmp, edgeSecret });
  await edge.waitForLog('is an edge of');
  const page = await connect(`${edge.http.replace('http', 'ws')}/echo`, { objectEncoding: 3 });
  expect(await page.call('echo', { a: [1, 'two', null] })).toEqual({ a: [1, 'two', null] });
  const foreign = FlvClient.open(`${edge.http.replace('http', 'ws')}/echo/_definst_/x.flv`, {
    Origin: 'http://elsewhere.example',
  });
  await expect(foreign).rejects.toMatchObject({ status: 403 });
});
