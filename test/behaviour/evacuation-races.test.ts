import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** What else happens while an instance moves to another core. */
const stay = `trace('here'); SharedObject.get('fence', true).isDirty; while (!new File('/goOn').exists);`;
const stages = {
  'starts in the other core': `application.onAppStart = () => { ${stay} };`,
  'takes over its state': `application.onSave = () => true; application.onRestore = () => { ${stay} };`,
  'gives its state away': `application.onSave = () => { ${stay} };`,
} as const;
const mover = (version: number, own: string) => `
  const state = keep({ count: 0, left: [] as string[] });
  const board = SharedObject.get('board', true);
  application.users = {};
  application.onConnect = (client, name) => { client.name = name; application.users[name] = client; return true; };
  application.onDisconnect = (client) => { delete application.users[client.name]; state.left.push(client.name); };
  Object.assign(Client.prototype, {
    count() { board.setProperty('count', ++state.count); return [${version}, state.count]; },
    look() { return [state.count, board.getProperty('count'), Object.keys(application.users).join(), state.left.join()]; },
    who() { return [this.name, this.reconnected]; },
  });
  ${own}`;
const culprit = `application.onConnect = () => true;
  Client.prototype.stuck = () => { let x = 3n ** 100_000n; for (;;) x *= x; };`;
const patient = JSON.stringify({ limits: { handlerMs: 20_000, startMs: 20_000 } });

async function openHouse(own: string) {
  const server = await startServer({
    apps: {
      bad: { 'main.ts': culprit },
      mover: { 'main.ts': mover(1, own), 'app.json': patient, goOn: '' },
    },
    limits: { handlerMs: 200, heapMb: 16, backOffMs: 50, cores: 1, evacuationMs: 60_000 },
  });
  const bad = await connect(`${server.rtmp}/bad/room`);
  const [ann, bob] = [await joinAs(server, 'ann'), await joinAs(server, 'bob')];
  const { core } = await server.instance('mover', 'room');
  expect((await server.instance('bad', 'room')).core).toBe(core);
  for (let n = 1; n <= 3; n++) expect(await ann.call('count')).toEqual([1, n]);
  return { server, bad, ann, bob, core };
}

const joinAs = (server: TestServer, name: string) => connect(`${server.rtmp}/mover/room`, { args: [name] });

/** Until it stays where its code says so. */
async function beginMove(server: TestServer, bad: RtmpClient) {
  rmSync(join(server.appsFolder, 'mover/goOn'));
  const from = server.log.mark;
  await bad.callFails('stuck');
  await server.waitForLog((r) => r.instance === 'mover/room' && r.message === 'here', from);
  return from;
}

for (const [stage, own] of Object.entries(stages)) {
  test(`while it ${stage}: who leaves, who comes, calls, shared objects and streams`, async () => {
    const { server, bad, ann, bob } = await openHouse(own);
    const publisher = await (await joinAs(server, 'pub')).createStream();
    await publisher.publish('cam');
    const viewer = await ann.createStream();
    await viewer.play('cam');
    publisher.video(0, avcHeader);
    publisher.video(0, keyFrame(0));
    const from = await beginMove(server, bad);

    let frame = 0;
    const film = async () => {
      frame++;
      publisher.video(frame * 40, interFrame(frame));
      await viewer.waitForMedia(interFrame(frame));
    };
    for (let n = 0; n < 5; n++) await film();
    const calls = [1, 2, 3].map(() => ann.call('count'));
    await bob.close();
    const comes = joinAs(server, 'cat');
    for (let n = 0; n < 5; n++) await film();
    server.writeFile('mover/goOn', '');
    await server.waitForLog((r) => r.instance === 'mover/room' && r.message.startsWith('moved'), from);
    for (let n = 0; n < 5; n++) await film();

    expect(await Promise.all(calls)).toEqual([
      [1, 4],
      [1, 5],
      [1, 6],
    ]);
    const cat = await comes;
    expect(await cat.call('who')).toEqual(['cat', false]);
    await eventually('bob to be forgotten', async () => {
      const [count, shared, users, left] = (await ann.call('look')) as unknown[];
      expect([count, shared]).toEqual([6, 6]);
      return users === 'ann,pub,cat' && left === 'bob';
    });
    expect(viewer.codes).toEqual(['NetStream.Play.Reset', 'NetStream.Play.Start']);
    expect(viewer.media.map(({ timestamp }) => timestamp)).toEqual([
      0,
      ...Array.from({ length: frame + 1 }, (_, index) => index * 40),
    ]);
    expect(ann.isClosed).toBe(false);
    await server.stop();
  }, 60_000);

  test(`while it ${stage}: new code is saved, and takes over what has moved`, async () => {
    const { server, bad, ann, bob } = await openHouse(own);
    await beginMove(server, bad);
    const from = server.log.mark;
    server.writeFile('mover/main.ts', mover(2, ''));
    await server.waitForLog((r) => r.instance === 'mover' && r.message === 'built', from);
    const call = ann.call('count');
    server.writeFile('mover/goOn', '');
    expect(((await call) as number[])[1]).toBe(4);
    let last = 4;
    await eventually('the new code', async () => {
      const [version, count] = (await ann.call('count')) as [number, number];
      expect(count).toBe(++last);
      return version === 2;
    });
    expect(await bob.call('who')).toEqual(['bob', false]);
    await server.stop();
  }, 60_000);

  test(`while it ${stage}: an operator starts it anew, and no client is lost`, async () => {
    const { server, bad, ann, bob, core } = await openHouse(own);
    await beginMove(server, bad);
    const call = ann.call('count').catch(() => undefined);
    const answer = await fetch(`${server.http}/api/instances/mover/room/restart`, { method: 'POST' });
    expect(answer.status).toBeLessThan(300);
    server.writeFile('mover/goOn', '');
    await call;
    await eventually('it to answer', async () => {
      const counted = await ann.call('count').catch(() => undefined);
      return counted !== undefined;
    });
    expect(((await bob.call('who')) as string[])[0]).toBe('bob');
    await eventually('the core to be gone', () => !server.corePids().includes(core!));
    await server.stop();
  }, 60_000);

  test(`while it ${stage}: the server ends all the same`, async () => {
    const { server, bad, ann } = await openHouse(own);
    await beginMove(server, bad);
    await server.stop();
    await ann.closed;
  }, 60_000);
}

const starts = [
  { where: 'at its top level', code: `if (application.name) { let x = 3n ** 100_000n; for (;;) x *= x; }` },
  {
    where: 'in onAppStart',
    code: `application.onAppStart = () => { let x = 3n ** 100_000n; for (;;) x *= x; };`,
  },
];
for (const { where, code } of starts) {
  test(`a new build that does not stop ${where} costs its neighbours neither state nor a call`, async () => {
    const { server, bad, ann, bob } = await openHouse('');
    const from = server.log.mark;
    let isOver = false;
    const counting = (async () => {
      for (let n = 4; !isOver; n++) expect(await ann.call('count')).toEqual([1, n]);
    })();
    server.writeFile('bad/main.ts', `${culprit}\n${code}`);
    await server.waitForLog(
      (r) => r.instance === 'bad/room' && r.message === 'goes on with the code it has',
      from,
    );
    await server.waitForLog((r) => r.code === 'E_CORE_GONE' && r.instance === undefined, from);
    isOver = true;
    await counting;
    expect(await bob.call('who')).toEqual(['bob', false]);
    expect(bad.isClosed).toBe(false);
    await server.stop();
  }, 60_000);
}
