import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFlvHeader, encodeFlvTag } from '../../wire/flv.ts';
import { DEADLINE_MS } from '../support/journal.ts';
import { interFrame, keyFrame } from '../support/media.ts';
import { showTags, type Tag } from '../support/recorded.ts';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const limited = (broadcasts: number) => ({
  'main.asc': runsCode,
  'app.json': JSON.stringify({ limits: { broadcasts } }),
});
const server = useServer({ apps: { free: limited(0), few: limited(3), other: { 'main.asc': runsCode } } });

function write(app: string, room: string, name: string, tags: readonly Tag[]): void {
  const folder = join(server.appsFolder, app, 'streams', room);
  mkdirSync(folder, { recursive: true });
  const header = encodeFlvHeader({ hasAudio: true, hasVideo: true });
  writeFileSync(join(folder, `${name}.flv`), Buffer.concat([header, ...tags.map(encodeFlvTag)]));
}

const enter = (app: string, room: string) => connect(`${server.rtmp}/${app}/${room}`);

test('streams that play one another, thousands in a row, fail where there are too many, and nobody else notices', async () => {
  const client = await enter('free', 'chain');
  // Neither metadata nor headers: nothing comes through the chain before the file plays.
  const tags = showTags(30).filter(({ payload }) => payload[1] !== 0);
  write('free', 'chain', 'clip', tags);
  write('other', 'room', 'clip', showTags(30));
  const from = server.log.mark;
  // From the end on, as each of them then begins with what nobody publishes yet.
  for (let at = 4000; at > 0; at -= 500)
    await run(
      client,
      `for (var i = ${at}; i > ${at - 500}; i--) Stream.get('s' + i).play('s' + (i - 1), -1);`,
    );
  const viewer = await client.createStream();
  await viewer.play('s20', -1000);
  await run(client, "Stream.get('s0').play('clip', 0)");
  await server.waitForLog('more than 32 streams play one another', from);
  await viewer.waitForMedia(keyFrame(0));

  const neighbour = await enter('other', 'room');
  await run(neighbour, "Stream.get('out').play('clip', 0)");
  const watcher = await neighbour.createStream();
  await watcher.play('out', -1000);
  await watcher.waitForMedia(interFrame(20));
  await viewer.waitForMedia(interFrame(20));
  expect(server.log.entries.slice(from).filter(({ code }) => code === 'E_BUG')).toEqual([]);
});

test('the server is the source of as many streams of an application as may be, in whatever instance', async () => {
  const [one, two] = [await enter('few', 'one'), await enter('few', 'two')];
  write('few', 'one', 'clip', showTags(30));
  expect(await run(one, "return Stream.get('a').play('clip', 0) && Stream.get('b').play('x', -1)")).toBe(
    true,
  );
  expect(await run(two, "return Stream.get('a').play('x', -1)")).toBe(true);
  const source = await two.createStream();
  await source.publish('cam');
  const from = server.log.mark;
  expect(await run(two, "return Stream.get('cam').play('x', -1)")).toBe(false);
  expect((await server.waitForLog((r) => r.code === 'E_BROADCAST', from)).message).toContain(
    'limits.broadcasts',
  );
  // Who publishes goes on, and so does what plays already.
  expect(await run(one, "return Stream.get('a').play('clip', 0, -1, false)")).toBe(true);
  const viewer = await two.createStream();
  await viewer.play('cam', -1000);
  source.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
  await run(one, "Stream.get('b').play(false)");
  expect(await run(two, "return Stream.get('cam').play('x', -1)")).toBe(true);
  await source.status('NetStream.Unpublish.Success');
  // The instance ends, and what it played counts no more.
  await run(one, 'application.shutdown()').catch(() => {});
  await expect
    .poll(() => run(two, "return Stream.get('more').play('x', -1)"), { timeout: DEADLINE_MS })
    .toBe(true);
});
