import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { keyFrame } from '../support/media.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { publishTimeoutMs: 400 },
  apps: {
    live: {
      'main.ts': `
        application.onConnect = () => true;
        application.authorizePublish = (_client, stream) => stream.publishQueryString !== 'key=wrong';
        application.onUnpublish = (_client, stream) => trace('unpublish ' + stream.name);`,
    },
  },
});
let rooms = 0;
const newRoom = () => `${server.rtmp}/live/room${rooms++}`;

/** A publisher in a process of its own: stopped, it is as one whose network has gone. */
async function ghost(room: string): Promise<{ pid: number }> {
  const child = spawn(process.execPath, ['test/support/publisher.ts', room, 'cam'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  expect(line.toString()).toBe('publishing\n');
  return { pid: child.pid! };
}

test('who publishes and answers keeps the name, also without sending anything', async () => {
  const room = newRoom();
  const first = await (await connect(room)).createStream();
  await first.publish('cam');
  const second = await (await connect(room)).createStream();
  expect(await second.publish('cam')).toMatchObject({ code: 'NetStream.Publish.BadName', level: 'error' });
  const viewer = await (await connect(room)).createStream();
  await viewer.play('cam');
  first.video(0, keyFrame(1));
  await viewer.waitForMedia(keyFrame(1));
});

test('a publisher that gives no sign of life loses its name to the next, and viewers go on with that', async () => {
  const room = newRoom();
  const { pid } = await ghost(room);
  const viewer = await (await connect(room)).createStream();
  await viewer.play('cam');
  execFileSync('kill', ['-STOP', String(pid)]);
  const mark = viewer.mark;
  const next = await (await connect(room)).createStream();
  expect((await next.publish('cam')).code).toBe('NetStream.Publish.Start');
  await viewer.status('NetStream.Play.UnpublishNotify', mark);
  await viewer.status('NetStream.Play.PublishNotify', mark);
  await server.log.waitFor('onUnpublish', ({ message }) => message === 'unpublish cam');
  next.video(0, keyFrame(7));
  await viewer.waitForMedia(keyFrame(7), mark);
});

test('nobody evicts it who may not publish', async () => {
  const room = newRoom();
  const { pid } = await ghost(room);
  execFileSync('kill', ['-STOP', String(pid)]);
  const viewer = await (await connect(room)).createStream();
  await viewer.play('cam');
  const stranger = await (await connect(room)).createStream();
  expect((await stranger.publish('cam?key=wrong')).code).toBe('NetStream.Publish.BadName');
  expect(viewer.codes).not.toContain('NetStream.Play.UnpublishNotify');
});

test('of two that want the name of a silent one, one has it', async () => {
  const room = newRoom();
  const { pid } = await ghost(room);
  execFileSync('kill', ['-STOP', String(pid)]);
  const streams = await Promise.all([1, 2, 3].map(async () => (await connect(room)).createStream()));
  const codes = await Promise.all(streams.map(async (stream) => (await stream.publish('cam')).code));
  expect(codes.sort()).toEqual([
    'NetStream.Publish.BadName',
    'NetStream.Publish.BadName',
    'NetStream.Publish.Start',
  ]);
});

test('the same connection gets BadName at once', async () => {
  const client = await connect(newRoom());
  await (await client.createStream()).publish('cam');
  expect((await (await client.createStream()).publish('cam')).code).toBe('NetStream.Publish.BadName');
});
