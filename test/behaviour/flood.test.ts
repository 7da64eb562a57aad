import { expect, test } from 'vitest';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { connect } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';

/** A client that sends more than the script can take is slowed down before its room is, and media passes it by. */
const script = `
  let served = 0;
  application.onConnect = () => true;
  Object.assign(Client.prototype, {
    slow() { let x = 0; for (let i = 0; i < 1e6; i++) x = (x + i) | 0; return ++served; },
    served: () => served,
  });`;

test('a flood fills an eighth of the mailbox at most; others are answered meanwhile, and no frame waits', async () => {
  const server = await startServer({
    apps: { app: { 'main.ts': script } },
    limits: { mailboxRecords: 800, callsPerSecond: 0, handlerMs: 2000 },
  });
  const url = `${server.rtmp}/app/room`;
  const source = await connect(url);
  const publisher = await source.createStream();
  await publisher.publish('cam');
  const viewer = await (await connect(url)).createStream();
  await viewer.play('cam');
  publisher.video(0, avcHeader);
  publisher.video(0, keyFrame(0));
  await viewer.waitForMedia(keyFrame(0));
  const calm = await connect(url);
  const flood = await connect(url);

  const count = 4000;
  const calls = Array.from({ length: count }, () => flood.call('slow'));
  let isOver = false;
  const all = Promise.all(calls).finally(() => {
    isOver = true;
  });
  await calls[0];
  const served: number[] = [];
  const waiting: number[] = [];
  for (let frame = 1; !isOver || frame < 20; frame++) {
    publisher.video(frame * 40, interFrame(frame));
    await viewer.waitForMedia(interFrame(frame));
    served.push((await calm.call('served')) as number);
    const answer = await fetch(`${server.http}/api/instances/app/room`);
    waiting.push(((await answer.json()) as { mailbox: { deliveries: number } }).mailbox.deliveries);
  }
  expect(await all).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  // It was let in between: a turn holds a hundred calls of the flood, not the four thousand that it has sent.
  const meanwhile = served.filter((number) => number < count);
  expect(meanwhile.length).toBeGreaterThan(5);
  for (const [index, number] of meanwhile.entries())
    expect(number - (meanwhile[index - 1] ?? 0)).toBeLessThan(count / 2);
  expect(Math.max(...waiting)).toBeLessThanOrEqual(800 / 8 + 10);
});
