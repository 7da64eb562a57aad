import { expect, test } from 'vitest';
import { DEADLINE_MS } from '../../test/support/journal.ts';
import { keyFrame } from '../../test/support/media.ts';
import { sendTags, showTags } from '../../test/support/recorded.ts';
import { type ClientStream, connect, Type } from '../../test/support/rtmp-client.ts';
import { useServer } from '../../test/support/server.ts';
import { RemoteSharedObject } from '../../test/support/shared-object.ts';

const server = useServer({ samples: ['studio'] });
const url = (room: string) => `${server.rtmp}/studio/${room}`;
const soon = { timeout: DEADLINE_MS };

const pictures = (stream: ClientStream) =>
  stream.media
    .filter(({ type, payload }) => type === Type.Video && payload[1] === 1)
    .map(({ payload }) => Buffer.from(payload.subarray(-4)).readUInt32BE());

test('who publishes is on the channel; afterwards the channel repeats what was recorded, again and again', async () => {
  const viewer = await (await connect(url('one'))).createStream();
  await viewer.play('channel');
  const reporter = await connect(url('one'));
  const shelf = await new RemoteSharedObject(reporter, 'shelf', { isPersistent: true }).connect();
  const show = await reporter.createStream();
  expect((await show.publish('morning')).code).toBe('NetStream.Publish.Start');
  const tags = showTags(1);
  sendTags(show, tags.slice(0, 3));
  await viewer.waitForMedia(keyFrame(0)); // the script has put it on the channel
  sendTags(show, tags.slice(3));
  show.video(1000, keyFrame(25));
  await viewer.waitForMedia(keyFrame(25));
  expect(pictures(viewer)).toEqual(Array.from({ length: 26 }, (_, i) => i));
  show.command('closeStream');
  await expect.poll(() => shelf.data.get('morning'), soon).toMatchObject({ seconds: 1 });
  // Live, and at least twice from the file.
  const beginnings = () => pictures(viewer).filter((id) => id === 0).length;
  await expect.poll(beginnings, soon).toBeGreaterThanOrEqual(3);
  expect(await reporter.call('getStreamLength', 'morning')).toBe(1);

  expect((await show.publish('channel')).code).toBe('NetStream.Publish.BadName');
  expect((await show.publish('evening')).code).toBe('NetStream.Publish.Start');
  show.video(0, keyFrame(4711));
  await viewer.waitForMedia(keyFrame(4711));
});

test('saving the script changes nothing on the channel', async () => {
  const viewer = await (await connect(url('two'))).createStream();
  await viewer.play('channel', -1000);
  const show = await (await connect(url('two'))).createStream();
  await show.publish('morning');
  const tags = showTags(3);
  sendTags(show, tags.slice(0, 3));
  await viewer.waitForMedia(keyFrame(0)); // the script has put it on the channel
  sendTags(show, tags.slice(3));
  await show.settled();
  show.command('closeStream');
  await expect.poll(() => pictures(viewer).filter((id) => id === 0).length, soon).toBe(2);
  const from = server.log.mark;
  server.writeFile(
    'studio/main.ts',
    server.readFile('studio/main.ts').replace('MAX_SHOWS = 20', 'MAX_SHOWS = 21'),
  );
  await server.waitForLog(({ message }) => message.includes('kept'), from);
  const seen = pictures(viewer).length;
  await expect.poll(() => pictures(viewer).length, soon).toBeGreaterThan(seen + 100);
  // The pictures are those of the file, in its order, round after round.
  const shown = pictures(viewer);
  for (let i = 1; i < shown.length; i++) expect(shown[i]).toBe((shown[i - 1]! + 1) % 75);
  expect(viewer.codes.filter((code) => code === 'NetStream.Play.UnpublishNotify')).toEqual([]);
});

test('a show that goes on while the script is saved is on the shelf when it ends', async () => {
  const client = await connect(url('three'));
  const shelf = await new RemoteSharedObject(client, 'shelf', { isPersistent: true }).connect();
  const viewer = await client.createStream();
  await viewer.play('channel', -1000);
  const show = await client.createStream();
  await show.publish('morning');
  const tags = showTags(2);
  sendTags(show, tags.slice(0, 3));
  await viewer.waitForMedia(keyFrame(0));
  const from = server.log.mark;
  const script = server.readFile('studio/main.ts');
  server.writeFile('studio/main.ts', script.replace(/MAX_SHOWS = \d+/, 'MAX_SHOWS = 22'));
  const isThree = (instance: string | undefined) => instance === 'studio/three';
  await server.waitForLog(({ message, instance }) => isThree(instance) && message.includes('kept'), from);
  sendTags(show, tags.slice(3));
  await show.settled();
  show.command('closeStream');
  await expect.poll(() => shelf.data.get('morning'), soon).toMatchObject({ seconds: 1.97 });
  await expect.poll(() => pictures(viewer).filter((id) => id === 0).length, soon).toBeGreaterThanOrEqual(2);
});
