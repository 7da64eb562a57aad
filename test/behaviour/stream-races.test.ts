import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { DEADLINE_MS } from '../support/journal.ts';
import { keyFrame } from '../support/media.ts';
import { sendTags, showTags, type Tag, tagsOf } from '../support/recorded.ts';
import { type ClientStream, connect, type Info, type RtmpClient, Type } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  apps: {
    rows: {
      'main.asc': `${runsCode}
        heard = [];
        listen = function (name) {
          var s = Stream.get(name);
          s.onStatus = function (info) { heard.push(info.code.replace('NetStream.', '') + ' ' + info.details); };
          return s;
        };`,
    },
    vod: { 'README.md': 'no script' },
  },
});

let rooms = 0;
const newRoom = () => `r${rooms++}`;
const fileOf = (room: string, name: string, app = 'rows') =>
  join(server.appsFolder, app, 'streams', room, `${name}.flv`);
const enter = (room: string, app = 'rows') => connect(`${server.rtmp}/${app}/${room}`);

function write(room: string, name: string, tags: readonly Tag[], app = 'rows'): void {
  const file = fileOf(room, name, app);
  mkdirSync(join(file, '..'), { recursive: true });
  const header = encodeFlvHeader({ hasAudio: true, hasVideo: true });
  writeFileSync(file, Buffer.concat([header, ...tags.map(encodeFlvTag)]));
}

const hears = (client: RtmpClient, what: string) =>
  expect.poll(() => run(client, 'return heard'), { timeout: DEADLINE_MS }).toContain(what);
const pictureTags = (tags: string | readonly Tag[]) =>
  (typeof tags === 'string' ? tagsOf(tags) : tags)
    .filter(({ type }) => type === Type.Video)
    .map(({ payload }) => Buffer.from(payload).toString('hex'));
const pictures = (stream: ClientStream) => stream.media.filter(({ type }) => type === Type.Video).length;

test('who comes after the server took the name of a publisher that nobody watched sees what the server plays', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(30));
  const client = await enter(room);
  const source = await client.createStream();
  await source.publish('out');
  await run(client, "listen('out').play('clip', 0)");
  await source.status('NetStream.Unpublish.Success');
  await hears(client, 'Play.Start clip');
  const viewer = await client.createStream();
  await viewer.play('out', -1000);
  await expect.poll(() => pictures(viewer), { timeout: DEADLINE_MS }).toBeGreaterThan(3);
});

test('a publisher that wants to be recorded does not end what the script records', async () => {
  const room = newRoom();
  const client = await enter(room);
  await run(client, "listen('cam').record()");
  await hears(client, 'Record.Start cam');
  const source = await client.createStream();
  await source.publish('cam', 'record');
  expect((await source.status('NetStream.Record.NoAccess')).description).toContain('recorded already');
  sendTags(source, showTags(2));
  source.command('closeStream');
  await source.status('NetStream.Unpublish.Success');
  expect(await run(client, "return Stream.get('cam').record(false)")).toBe(true);
  await hears(client, 'Record.Stop cam');
  expect(pictureTags(fileOf(room, 'cam'))).toEqual(pictureTags(showTags(2)));
});

test('a script that asks twice before anybody publishes records who comes then, until it says stop', async () => {
  const room = newRoom();
  const client = await enter(room);
  await run(client, "listen('cam').record()");
  await hears(client, 'Record.Start cam');
  await run(client, "heard = []; listen('cam').record('append')");
  await hears(client, 'Record.Start cam');
  const source = await client.createStream();
  await source.publish('cam');
  sendTags(source, showTags(2));
  await source.settled();
  expect(await run(client, "heard = []; return Stream.get('cam').record(false)")).toBe(true);
  await hears(client, 'Record.Stop cam');
  expect(pictureTags(fileOf(room, 'cam'))).toEqual(pictureTags(showTags(2)));
});

test('what a script begins to record in the place of another recording can be ended at once', async () => {
  const client = await enter(newRoom());
  const source = await client.createStream();
  await source.publish('cam');
  await run(client, "listen('cam').record()");
  await hears(client, 'Record.Start cam');
  const code =
    "var s = listen('cam'); heard = []; return [s.record(), s.record('append'), s.record(false), s.record(false)]";
  expect(await run(client, code)).toEqual([true, true, true, false]);
  await expect
    .poll(
      async () =>
        ((await run(client, 'return heard')) as string[]).filter((each) => each === 'Record.Stop cam'),
      {
        timeout: DEADLINE_MS,
      },
    )
    .toHaveLength(3);
  expect(await run(client, 'return heard')).not.toContain('Record.NoAccess cam');
});

test('who seeks thirty thousand times keeps nobody else from playing files', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(60));
  write(room, 'clip', showTags(60), 'vod');
  const script = await enter(room);
  await run(script, "listen('out').play('clip', 0)");
  const restless = await (await enter(room, 'vod')).createStream();
  await restless.play('clip', 0);
  const calm = await (await enter(room, 'vod')).createStream();
  await calm.play('clip', 0);
  for (let i = 0; i < 30_000; i++) restless.command('seek', (i * 997) % 59_000);
  restless.command('seek', 31_000);
  for (let i = 1; i <= 10; i++) {
    const from = calm.mark;
    calm.command('seek', 1000 * i);
    await calm.status('NetStream.Seek.Notify', from);
  }
  await restless.settled();
  await restless.received.waitFor(
    'the end',
    ({ type, timestamp }) => type === Type.Video && timestamp === 31_000,
  );
  for (const { codes } of [restless, calm]) expect(codes).not.toContain('NetStream.Play.Failed');
  expect(await run(script, 'return heard')).toEqual(['Play.Reset clip', 'Play.Start clip']);
});

test('a time that is no number is the beginning, and no way to be sent the file at once', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(60), 'vod');
  const stream = await (await enter(room, 'vod')).createStream();
  await stream.play('clip', 20_000);
  stream.command('seek', Number.NaN);
  await stream.status('NetStream.Seek.Notify');
  await stream.waitForMedia(keyFrame(25));
  await stream.settled();
  const { entries } = stream.received;
  const soughtAt = entries.findIndex(({ args }) => (args[0] as Info)?.code === 'NetStream.Seek.Notify');
  const times = entries.slice(soughtAt).map(({ timestamp }) => timestamp);
  expect(Math.max(...times)).toBeLessThan(20_000);
});

test('a recording that is cleared begins anew with what a player needs first', async () => {
  const room = newRoom();
  const client = await enter(room);
  const source = await client.createStream();
  await source.publish('cam');
  await run(client, "listen('cam').record()");
  await hears(client, 'Record.Start cam');
  sendTags(source, showTags(1));
  await source.settled();
  expect(await run(client, "return Stream.get('cam').flush() && Stream.get('cam').clear()")).toBe(true);
  const [avc, aac, ...later] = showTags(2, 500);
  sendTags(source, later, 1000);
  await source.settled();
  await run(client, "Stream.get('cam').record(false)");
  await hears(client, 'Record.Stop cam');
  const tags = tagsOf(fileOf(room, 'cam')).filter(({ type }) => type !== Type.DataAmf0);
  expect(tags.slice(0, 2).map(({ payload }) => payload)).toEqual([avc!.payload, aac!.payload]);
  expect(pictureTags(tags).at(-1)).toBe(pictureTags(later).at(-1));
});

test('a recording that is removed in its first second begins anew', async () => {
  for (const remove of ["Stream.get('cam').clear()", "application.clearStreams('/')"]) {
    const room = newRoom();
    const client = await enter(room);
    const source = await client.createStream();
    await source.publish('cam');
    await run(client, "listen('cam').record()");
    await hears(client, 'Record.Start cam');
    sendTags(source, showTags(1));
    await source.settled();
    expect(await run(client, `return ${remove}`)).toBe(true);
    const [avc, , ...later] = showTags(1, 500);
    sendTags(source, later, 1000);
    await source.settled();
    await run(client, "Stream.get('cam').record(false)");
    await hears(client, 'Record.Stop cam');
    expect(pictureTags(fileOf(room, 'cam'))).toEqual(pictureTags([avc!, ...later]));
  }
});

test('a stream that was destroyed begins with what a new one has', async () => {
  const room = newRoom();
  write(room, 'clip', showTags(30));
  const client = await enter(room);
  await run(client, "var s = Stream.get('out'); s.receiveVideo = false; Stream.destroy(s)");
  expect(await run(client, "var s = Stream.get('out'); s.play('clip', 0); return s.receiveVideo")).toBe(true);
  const viewer = await client.createStream();
  await viewer.play('out', -1000);
  await expect.poll(() => pictures(viewer), { timeout: DEADLINE_MS }).toBeGreaterThan(0);
});

test('the time of a play counts from the first publisher, however many follow', async () => {
  const room = newRoom();
  const viewer = await (await enter(room, 'vod')).createStream();
  const source = await (await enter(room, 'vod')).createStream();
  await source.publish('cam');
  await viewer.play('cam', -1000, 3000);
  const startedAt = performance.now();
  for (const afterMs of [1200, 2400]) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, startedAt + afterMs - performance.now())));
    const from = viewer.mark;
    source.command('closeStream');
    source.command('publish', 'cam', 'live');
    await viewer.status('NetStream.Play.PublishNotify', from);
  }
  await viewer.status('NetStream.Play.Stop');
  expect(performance.now() - startedAt).toBeLessThan(5000);
});
