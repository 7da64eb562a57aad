import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { DEADLINE_MS } from '../support/journal.ts';
import { sendTags, showTags, type Tag, tagsOf } from '../support/recorded.ts';
import { type ClientStream, connect, type RtmpClient, Type } from '../support/rtmp-client.ts';
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
  },
});

let rooms = 0;
const newRoom = () => `r${rooms++}`;
const fileOf = (room: string, name: string) => join(server.appsFolder, 'rows/streams', room, `${name}.flv`);
const enter = (room: string) => connect(`${server.rtmp}/rows/${room}`);

function write(room: string, name: string, tags: readonly Tag[]): void {
  const file = fileOf(room, name);
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
