import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEADLINE_MS } from '../support/journal.ts';
import { makeClip, publishFile, scratchFolder } from '../support/media-tools.ts';
import { sendTags, showTags, tagsOf } from '../support/recorded.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';
import { requireTools } from '../support/tools.ts';

const server = useServer({ classics: ['recorder'] });
const url = (room: string) => `${server.rtmp}/recorder/${room}`;
const fileOf = (room: string, name: string) =>
  join(server.appsFolder, 'recorder/streams', room, `${name}.flv`);
const soon = { timeout: DEADLINE_MS };

test('a producer records takes, marks them, and wipes the shelf; guests see the lamp', async () => {
  const producer = await connect(url('studio'), { args: ['producer'] });
  const guest = await connect(url('studio'));
  const lamp = await new RemoteSharedObject(guest, 'lamp').connect();
  const stream = await producer.createStream();
  await stream.publish('show');
  sendTags(stream, showTags(1).slice(0, 2));
  expect(await guest.call('startRecording', 'show')).toBe('for producers only');
  expect(await producer.call('startRecording', 'show')).toBe(true);
  await expect.poll(() => lamp.data.get('show'), soon).toBe('on');
  sendTags(stream, showTags(3).slice(2));
  await stream.settled();
  expect(await producer.call('mark', 'show', 'best scene')).toBe(true);
  expect(await producer.call('stopRecording', 'show')).toBe(true);
  await expect.poll(() => lamp.data.get('show'), soon).toBe('off');
  expect(await guest.call('getShelf')).toEqual([{ name: 'show', seconds: 3, takes: 1 }]);
  const marks = tagsOf(fileOf('studio', 'show')).filter(({ payload }) =>
    Buffer.from(payload).includes('best scene'),
  );
  expect(marks).toHaveLength(1);

  await producer.call('startRecording', 'show', 'append');
  await expect.poll(() => lamp.data.get('show'), soon).toBe('on');
  sendTags(stream, showTags(2, 500), 10_000);
  await stream.settled();
  await producer.call('stopRecording', 'show');
  await expect
    .poll(async () => (await guest.call('getShelf')) as unknown[], soon)
    .toMatchObject([{ takes: 1 }, { takes: 2 }]);
  expect(tagsOf(fileOf('studio', 'show')).at(-1)!.timestamp).toBeGreaterThan(4000);
  expect(guest.callsOf('onShelf')).toEqual([[1], [2]]);
  expect(await guest.call('wipe')).toBe('for producers only');
  expect(await producer.call('wipe')).toBe(true);
  expect(existsSync(fileOf('studio', 'show'))).toBe(false);
});

test('what an encoder publishes is recorded, and played by name afterwards', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const producer = await connect(url('desk'), { args: ['producer'] });
  await producer.call('startRecording', 'camera');
  const clip = await makeClip(scratchFolder(), 3);
  // Whoever connects with an argument is a producer: encoders give it in the address.
  const stream = await producer.createStream();
  await stream.publish('camera');
  sendTags(stream, tagsOf(clip));
  stream.command('closeStream');
  await stream.status('NetStream.Unpublish.Success');
  await producer.call('stopRecording', 'camera');
  await expect.poll(() => producer.call('getShelf'), soon).toMatchObject([{ name: 'camera', seconds: 3 }]);
  const refused = await publishFile(clip, `${url('desk')}/camera`).end();
  expect(refused.code).not.toBe(0);
  const player = await producer.createStream();
  await player.play('camera', 0);
  await player.status('NetStream.Play.Stop');
  const media = (list: { type: number }[]) => list.filter(({ type }) => type === 8 || type === 9).length;
  expect(media(player.media)).toBeGreaterThanOrEqual(media(tagsOf(clip)));
});
