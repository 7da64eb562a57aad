import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { eventually } from '../support/journal.ts';
import { aacFrame, aacHeader, avcHeader, interFrame, keyFrame, metadata } from '../support/media.ts';
import { showTags } from '../support/recorded.ts';
import { type ClientStream, connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { TestServer, useServer } from '../support/server.ts';

/** Streams of other instances: `Stream.play` with a NetConnection. */
const far = await new TestServer({ apps: { far: { 'README.md': 'no script' } } }).ready();
afterAll(() => far.destroy());

const near = useServer({
  apps: {
    near: {
      'main.js': runsCode,
      'app.json': JSON.stringify({ connect: { hosts: [new URL(far.rtmp).host], apps: ['far'] } }),
    },
    far: { 'README.md': 'no script' },
  },
});

let rooms = 0;
const newRoom = () => `room${rooms++}`;

/** In the script: `nc`, a connection to that address, and what onStatus of the stream `out` was told. */
const prepared = `
  const nc = application.nc = new NetConnection();
  nc.connect(args[0]);
  const out = Stream.get('out');
  out.told = [];
  out.onStatus = ({ code, details, description }) => void out.told.push([code.replace('NetStream.', ''), details, description]);`;
const toldOf = (client: RtmpClient) =>
  run(client, "return Stream.get('out').told.map(([code, details]) => code + ' ' + details);") as Promise<
    string[]
  >;
const told = (client: RtmpClient, ...statuses: string[]) =>
  eventually(`the script to hear ${statuses}`, async () => {
    const all = await toldOf(client);
    return statuses.every((status) => all.includes(status));
  });

async function publish(url: string, name = 'cam'): Promise<ClientStream> {
  const stream = await (await connect(url)).createStream();
  await stream.publish(name);
  return stream;
}

async function watch(client: RtmpClient, name = 'out'): Promise<ClientStream> {
  const stream = await client.createStream();
  await stream.play(name, -1000);
  return stream;
}

function record(server: TestServer, room: string, name: string, frames: number): void {
  const folder = join(server.appsFolder, 'far/streams', room);
  mkdirSync(folder, { recursive: true });
  const header = encodeFlvHeader({ hasAudio: true, hasVideo: true });
  writeFileSync(join(folder, `${name}.flv`), Buffer.concat([header, ...showTags(frames).map(encodeFlvTag)]));
}

describe.each([
  ['over a socket', () => `${far.rtmp}/far/`, () => far],
  ['on the same server', () => 'rtmp:/far/', () => near],
])('%s', (_, to, server) => {
  test('a live stream, which is waited for, with metadata and headers, early and late', async () => {
    const room = newRoom();
    const client = await connect(`${near.rtmp}/near/${room}`);
    const early = await watch(client);
    expect(await run(client, `${prepared} return out.play('cam', -1, -1, true, nc);`, `${to()}${room}`)).toBe(
      true,
    );
    await told(client, 'Play.Start cam');
    const publisher = await publish(`${server().rtmp}/far/${room}`);
    await told(client, 'Play.PublishNotify cam');
    publisher.data(0, '@setDataFrame', 'onMetaData', metadata);
    publisher.video(0, avcHeader);
    publisher.audio(0, aacHeader);
    publisher.video(1000, keyFrame(1));
    publisher.audio(1010, aacFrame(1));
    publisher.video(1040, interFrame(2));
    publisher.data(1040, 'cue', 7);
    await early.waitForMedia(interFrame(2));
    const late = await watch(client);
    await late.waitForMedia(interFrame(2));
    publisher.video(1080, interFrame(3));
    for (const viewer of [early, late]) {
      const { args } = await viewer.waitForData('onMetaData');
      expect(args[0]).toMatchObject(metadata);
      await viewer.waitForMedia(avcHeader);
      await viewer.waitForMedia(aacHeader);
      await viewer.waitForMedia(keyFrame(1));
      await viewer.waitForMedia(aacFrame(1));
      const last = await viewer.waitForMedia(interFrame(3));
      const key = viewer.media.find((m) => Buffer.from(m.payload).equals(keyFrame(1)));
      expect(last.timestamp - key!.timestamp).toBe(80);
      expect(viewer.media.filter(({ name }) => name.startsWith('|Stagewire'))).toEqual([]);
    }
    expect((await early.waitForData('cue')).args).toEqual([7]);
    const from = early.mark;
    publisher.command('closeStream');
    await told(client, 'Play.UnpublishNotify cam', 'Play.Stop cam');
    await early.status('NetStream.Play.UnpublishNotify', from);
    expect(await toldOf(client)).toEqual([
      'Play.Reset cam',
      'Play.Start cam',
      'Play.PublishNotify cam',
      'Play.UnpublishNotify cam',
      'Play.Stop cam',
    ]);
  });

  test('a recording at its own pace, or a part of it; then what is here', async () => {
    const room = newRoom();
    const client = await connect(`${near.rtmp}/near/${room}`);
    record(server(), room, 'clip', 40);
    const viewer = await watch(client);
    const local = await client.createStream();
    await local.publish('here');
    const code = `${prepared} return [out.play('clip', 0, 1, true, nc), out.play('none', 0, -1, false, nc), out.play('clip', -2, 1, false, nc), out.play('here', -1, -1, false)];`;
    const began = performance.now();
    expect(await run(client, code, `${to()}${room}`)).toEqual([true, true, true, true]);
    await told(client, 'Play.StreamNotFound none', 'Play.Start here');
    expect(performance.now() - began).toBeGreaterThan(1500);
    local.video(0, keyFrame(77));
    await viewer.waitForMedia(keyFrame(77));
    expect(await toldOf(client)).toEqual([
      'Play.Reset clip',
      'Play.Start clip',
      'Play.StreamNotFound none',
      'Play.Start clip',
      'Play.Start here',
    ]);
    const times = viewer.media.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
    expect(times.length).toBeGreaterThan(20);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});
