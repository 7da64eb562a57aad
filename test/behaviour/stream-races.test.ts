import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { DEADLINE_MS } from '../support/journal.ts';
import { showTags, type Tag } from '../support/recorded.ts';
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
