import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused, RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { rejectLingerMs: 100 },
  apps: {
    life: {
      'main.ts': `
        const left = {};
        application.onConnect = (client, name) => {
          trace('connect ' + name + ' with ' + application.clients.length);
          client.tag = name;
          if (name === 'refused') return false;
          if (name === 'pending') return;
          return true;
        };
        application.onDisconnect = (client) => {
          left[client.tag] = (left[client.tag] ?? 0) + 1;
          trace('disconnect ' + client.tag + ' ' + application.clients.includes(client) + ' ' + application.clients.length);
          application.broadcastMsg('left', client.tag, client.ip);
        };
        application.onUnpublish = (client, stream) => trace('unpublish ' + client.tag + ' ' + stream.name);
        Object.assign(Client.prototype, {
          left() { return left; },
          names() { return application.clients.map((c) => c.tag); },
          live() {
            const before = application.clients;
            return [before === application.clients, application.clients.length, application.clients[0] instanceof Client];
          },
          kick(name) {
            const victim = application.clients.find((c) => c.tag === name);
            victim.call('goodbye', null, 'so long');
            const results = [application.disconnect(victim)];
            application.kicked = victim;
            return results;
          },
          kickAgain() { return application.disconnect(application.kicked); },
          kickNobody() {
            try { return application.disconnect({}); } catch (error) { return error.name; }
          },
        });`,
    },
    ordered: {
      'main.ts': `
        let inside = 0;
        application.onConnect = () => {
          inside++;
          let x = 0;
          for (let i = 0; i < 2e6; i++) x += i;
          const isAlone = inside === 1 && x > 0;
          inside--;
          return isAlone;
        };`,
    },
    noDisconnect: {
      'main.ts': 'application.onConnect = () => true; Client.prototype.n = () => application.clients.length;',
    },
  },
});

const room = (name: string) => `${server.rtmp}/life/${name}`;

test('clients holds those who are accepted, in order, and shrinks when they leave', async () => {
  const a = await connect(room('list'), { args: ['a'] });
  const b = await connect(room('list'), { args: ['b'] });
  const c = await connect(room('list'), { args: ['c'] });
  expect(await a.call('names')).toEqual(['a', 'b', 'c']);
  await b.close();
  await a.waitForCall('left');
  expect(await a.call('names')).toEqual(['a', 'c']);
  expect(await c.call('live')).toEqual([true, 2, true]);
  await server.expectTraces('life/list', [
    'connect a with 0',
    'connect b with 1',
    'connect c with 2',
    'disconnect b false 2',
  ]);
});

const endings: { name: string; end: (client: RtmpClient) => Promise<unknown> }[] = [
  { name: 'closes its socket', end: (client) => client.close() },
  { name: 'is cut off', end: (client) => client.reset() },
  {
    name: 'sends close',
    end: (client) => {
      client.send('close');
      return client.closed;
    },
  },
  {
    name: 'sends garbage',
    end: (client) => {
      client.write(Buffer.alloc(64, 0xff));
      return client.closed;
    },
  },
];
for (const [index, { name, end }] of endings.entries()) {
  test(`onDisconnect is called once when a client ${name}`, async () => {
    const url = room(`end${index}`);
    const witness = await connect(url, { args: ['witness'] });
    const client = await connect(url, { args: ['leaver'] });
    await end(client);
    const call = await witness.waitForCall('left');
    expect(call.args).toEqual(['leaver', '127.0.0.1']);
    for (let fence = 0; fence < 5; fence++) await witness.call('names');
    expect(await witness.call('left')).toEqual({ leaver: 1 });
  });
}

test('disconnect delivers what was called before, then closes; onDisconnect is called once', async () => {
  const boss = await connect(room('kick'), { args: ['boss'] });
  const victim = await connect(room('kick'), { args: ['victim'] });
  expect(await boss.call('kick', 'victim')).toEqual([true]);
  await victim.closed;
  expect(victim.callsOf('goodbye')).toEqual([['so long']]);
  expect(victim.callsOf('close')).toHaveLength(1);
  await boss.waitForCall('left');
  expect(await boss.call('kickAgain')).toBe(false);
  expect(await boss.call('left')).toEqual({ victim: 1 });
  expect(await boss.call('names')).toEqual(['boss']);
});

test('disconnect of something else than a client says what is wrong', async () => {
  const client = await connect(room('kick'), { args: ['x'] });
  expect(await client.call('kickNobody')).toBe('TypeError');
});

test('refused and pending clients that leave are no business of onDisconnect', async () => {
  const url = room('never');
  const witness = await connect(url, { args: ['witness'] });
  await connectRefused(url, { args: ['refused'] });
  const pending = await RtmpClient.open(url, { args: ['pending'] });
  void pending.startConnect().catch(() => {});
  await server.waitForLog((r) => r.instance === 'life/never' && r.message.startsWith('connect pending'));
  await pending.reset();
  const last = await connect(url, { args: ['last'] });
  await last.close();
  expect((await witness.waitForCall('left')).args[0]).toBe('last');
  expect(await witness.call('left')).toEqual({ last: 1 });
});

test('streams are unpublished before their client is disconnected', async () => {
  const client = await connect(room('streams'), { args: ['publisher'] });
  for (const name of ['one', 'two']) await (await client.createStream()).publish(name);
  await client.reset();
  await server.expectTraces('life/streams', [
    'connect publisher with 0',
    'unpublish publisher one',
    'unpublish publisher two',
    'disconnect publisher false 0',
  ]);
});

test('many connects at once are handled one after the other', async () => {
  const clients = Array.from({ length: 20 }, () => connect(`${server.rtmp}/ordered`));
  expect(await Promise.all(clients)).toHaveLength(20);
});

test('instances of one application share nothing', async () => {
  const a = await connect(room('left'), { args: ['a'] });
  const b = await connect(room('right'), { args: ['b'] });
  expect(await a.call('names')).toEqual(['a']);
  expect(await b.call('names')).toEqual(['b']);
});

test('an instance without onDisconnect forgets those who leave', async () => {
  const stays = await connect(`${server.rtmp}/noDisconnect`);
  const leaves = await connect(`${server.rtmp}/noDisconnect`);
  expect(await stays.call('n')).toBe(2);
  await leaves.close();
  await eventually('one client to be left', async () => (await stays.call('n')) === 1);
});
