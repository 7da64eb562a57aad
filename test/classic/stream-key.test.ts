import { expect, test } from 'vitest';
import { makeClip, publishFile, scratchFolder } from '../support/media-tools.ts';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const server = useServer({ classics: ['stream-key'] });
const url = (room: string) => `${server.rtmp}/stream-key/${room}`;

test('who has the key of the file publishes, and who has none is disconnected', async () => {
  const good = await connect(url('room'));
  const stream = await good.createStream();
  await good.call('releaseStream', 'camera1?key=s3cret');
  await good.call('FCPublish', 'camera1?key=s3cret');
  expect(good.callsOf('onFCPublish')).toMatchObject([[{ code: 'NetStream.Publish.Start' }]]);
  expect(await stream.publish('camera1?key=s3cret')).toMatchObject({ code: 'NetStream.Publish.Start' });

  const cases = ['camera1', 'camera1?key=wrong', 'camera2?key=s3cret', 'toString?key=x'];
  for (const name of cases) {
    const bad = await connect(url('room'));
    bad.send('FCPublish', name);
    await bad.closed;
    expect(bad.callsOf('onFCPublish'), name).toMatchObject([[{ code: 'NetStream.Publish.BadName' }]]);
  }
  // Without asking first there is no way either: a client without a key may write nothing.
  const sly = await connect(url('room'));
  expect(await (await sly.createStream()).publish('camera1?key=s3cret')).not.toMatchObject({
    code: 'NetStream.Publish.Start',
  });
  expect(await good.call('getJournal')).toEqual([
    'start',
    'publishes camera1',
    'refused camera1',
    'refused camera1',
    'refused camera2',
    'refused toString',
  ]);

  // Keys change while the server runs.
  server.writeFile('stream-key/keys/publishers.txt', 'camera2=s3cret\n');
  const next = await connect(url('room'));
  await next.call('FCPublish', 'camera2?key=s3cret');
  expect(await good.call('getJournal')).toContain('publishes camera2');
  server.remove('stream-key/keys/publishers.txt');
  const last = await connect(url('room'));
  last.send('FCPublish', 'camera2?key=s3cret');
  await last.closed;
  await server.waitForLog(({ message }) =>
    message.startsWith(
      'FCPublish: File.open: /keys/publishers.txt: there is no such file or folder (main.asc:18:',
    ),
  );
});

test('a key can be asked for at the door', async () => {
  server.writeFile('stream-key/keys/publishers.txt', 'stage=open sesame\n');
  expect((await connectRefused(url('door'), { args: ['admin', 'wrong'] })).application).toEqual({
    reason: 'no such key',
  });
  await connect(url('door'), { args: ['admin', 'open sesame'] });
});

test('an encoder with the key is let in, and one without is cut off', async (context) => {
  requireTools(context, 'ffmpeg');
  server.writeFile('stream-key/keys/publishers.txt', 'camera1=s3cret\n');
  const clip = await makeClip(scratchFolder(), 2);
  const viewer = await connect(url('encoders'));
  const watched = await viewer.createStream();
  await watched.play('camera1');
  const bad = await publishFile(clip, `${url('encoders')}/camera1?key=wrong`).end();
  expect(bad.code).not.toBe(0);
  const good = await publishFile(clip, `${url('encoders')}/camera1?key=s3cret`).end();
  expect(good).toMatchObject({ code: 0, errors: '' });
  await watched.received.waitFor('a picture', ({ type }) => type === 9);
  const journal = (await viewer.call('getJournal')) as string[];
  expect(journal).toContain('refused camera1');
  expect(journal.filter((line) => line.startsWith('publishes'))).toEqual(['publishes camera1']);
});
