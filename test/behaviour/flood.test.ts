import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';

/** A client that sends more than the script can take is slowed down before its room is, and media passes it by. */
const script = `
  let served = 0;
  application.onConnect = () => true;
  Object.assign(Client.prototype, {
    slow() { let x = 0; for (let i = 0; i < 1e6; i++) x = (x + i) | 0; return ++served; },
    served: () => served,
    spin() { for (;;); },
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

test('what nobody can be stopped from sending ends the script when it is too much, and the rest goes on', async () => {
  const server = await startServer({
    apps: { app: { 'main.ts': script } },
    limits: { mailboxRecords: 16, handlerMs: 20_000, callsPerSecond: 0 },
  });
  const url = `${server.rtmp}/app/room`;
  const caller = await connect(url);
  // A hundred at a time: three hundred connects that a busy script has not come to yet would be too many by themselves.
  const crowd: RtmpClient[] = [];
  while (crowd.length < 300)
    crowd.push(...(await Promise.all(Array.from({ length: 100 }, () => connect(url)))));
  // While a handler runs they all leave: 256 deliveries are sixteen times what the mailbox holds.
  const failed = caller.callFails('spin');
  await Promise.all(crowd.map((client) => client.close()));
  expect(await failed).toMatchObject({ description: expect.stringContaining('mailbox') });
  const record = await server.waitForLog((r) => r.code === 'E_MAILBOX_FULL' && r.instance === 'app/room');
  expect(record).toMatchObject({
    level: 'error',
    message: expect.stringMatching(/2\d\d deliveries wait for it/),
  });
  expect(await caller.call('served')).toBe(0);
});

test('a broadcast is made once for all, in order with what is said to each, and who does not read is dropped', async () => {
  const server = await startServer({
    apps: {
      app: {
        'main.ts': `
          application.onConnect = () => true;
          Object.assign(Client.prototype, {
            mixed() {
              application.broadcastMsg('all', 1);
              application.broadcastMsg('all', 2);
              this.call('own', null, 3);
              application.broadcastMsg('all', 4);
              return 5;
            },
            flood() { const text = 'x'.repeat(1000); for (let i = 0; i < 2000; i++) application.broadcastMsg('noise', text); },
          });`,
      },
    },
    limits: { callQueueBytes: 1_000_000 },
  });
  const url = `${server.rtmp}/app/room`;
  const [one, other, deaf] = [await connect(url), await connect(url), await connect(url)];
  expect(await one.call('mixed')).toBe(5);
  await other.waitForCall('all', 0);
  await other.received.waitFor('the last', ({ name, args }) => name === 'all' && args[0] === 4);
  const told = (client: typeof one) =>
    client.received.entries.flatMap(({ name, args }) => (name === 'all' || name === 'own' ? [args[0]] : []));
  expect(told(one)).toEqual([1, 2, 3, 4]);
  expect(told(other)).toEqual([1, 2, 4]);

  deaf.pauseReading();
  const from = server.log.mark;
  for (let round = 1; round <= 10; round++) {
    await one.call('flood');
    await eventually('the others to have it all', () => other.callsOf('noise').length === round * 2000);
  }
  await server.waitForLog((r) => r.code === 'E_SLOW_READER', from);
  expect(one.callsOf('noise')).toHaveLength(20_000);
});
