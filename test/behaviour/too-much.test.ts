import { createConnection } from 'node:net';
import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const server = useServer({
  limits: { handlerMs: 2000 },
  apps: {
    app: {
      'main.ts': `
        const line = 'x'.repeat(100);
        Object.assign(Client.prototype, {
          alive: () => 'alive',
          printFlood() { for (let i = 0; i < 200_000; i++) trace(line); return 'printed'; },
          callFlood() { for (;;) this.call('noise', null, line); },
          async bigAnswer() { await null; return 'y'.repeat(3_000_000); },
          rejectForEver() {
            const again = () => { const e = new Error(); Object.defineProperty(e, 'message', { get() { again(); return 'm'; } }); Promise.reject(e); };
            again();
            return 'begun';
          },
          trap() { return Object.setPrototypeOf(this, new Proxy({}, { getPrototypeOf() { throw new Error('trap'); } })) && 1; },
          bigint() { return 1n; },
          manyChanges() {
            const so = SharedObject.get('many');
            for (let i = 0; i < 60_000; i++) so.setProperty('k', i);
            this.call('done');
          },
          largeArguments() { application.broadcastMsg('noise', 'x'.repeat(2_000_000)); },
        });`,
    },
  },
});

test('a handler that prints without end is answered, and the log says what was left out', async () => {
  const from = server.log.mark;
  const client = await connect(`${server.rtmp}/app/print`);
  expect(await client.call('printFlood')).toBe('printed');
  expect(await client.call('alive')).toBe('alive');
  await server.waitForLog((r) => r.instance === 'app/print' && r.code === 'E_LOG_FLOOD', from);
});

test('peers that are dropped again and again do not fill the log', async () => {
  const from = server.log.mark;
  const port = Number(new URL(server.rtmp).port);
  const drop = () =>
    new Promise<void>((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
      socket.on('error', () => {}).once('close', () => resolve());
    });
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 100 }, drop));
  await server.waitForLog(({ code, instance }) => code === 'E_LOG_FLOOD' && instance === undefined, from);
  const drops = server.log.entries.slice(from).filter(({ code }) => code === 'E_HANDSHAKE_VERSION');
  expect(drops.length).toBeGreaterThan(50);
  expect(drops.length).toBeLessThan(1500);
});

test('a handler that calls clients without end hears a RangeError, and its caller that it failed', async () => {
  const client = await connect(`${server.rtmp}/app/call`);
  expect(await client.callFails('callFlood')).toMatchObject({
    code: 'NetConnection.Call.Failed',
    description: expect.stringContaining('bytes, and this one sent more'),
  });
  expect(await client.call('alive')).toBe('alive');
});

test('many large answers of one batch all arrive, in order', async () => {
  const client = await connect(`${server.rtmp}/app/answers`);
  const answers = await Promise.all(Array.from({ length: 6 }, () => client.call('bigAnswer')));
  expect(answers.map((answer) => String(answer).length)).toEqual(Array(6).fill(3_000_000));
});

test('a script that goes on rejecting promises is stopped and starts again', async () => {
  const from = server.log.mark;
  const client = await connect(`${server.rtmp}/app/reject`);
  await client.startCall('rejectForEver');
  await server.waitForLog((r) => r.instance === 'app/reject' && r.message.startsWith('started again'), from);
  expect(await client.call('alive')).toBe('alive');
});

test('what a trap throws around a call fails that call', async () => {
  const client = await connect(`${server.rtmp}/app/trap`);
  await client.startCall('trap');
  expect(await client.callFails('nothing')).toMatchObject({ code: 'NetConnection.Call.Failed' });
});

test('a value that cannot be sent is named without names of the server', async () => {
  const client = await connect(`${server.rtmp}/app/bigint`);
  expect(await client.callFails('bigint')).toMatchObject({ description: 'cannot send a bigint' });
});

test('arguments that are too large for one call are refused where they are sent', async () => {
  const client = await connect(`${server.rtmp}/app/large`);
  expect(await client.callFails('largeArguments')).toMatchObject({
    description: expect.stringMatching(
      /noise: its arguments measure 2000\d+ bytes, and 1048576 may be sent at once/,
    ),
  });
  expect(await client.call('alive')).toBe('alive');
});

test('what a turn sends is done in pieces: between them others are told, and served', async () => {
  const client = await connect(`${server.rtmp}/app/pieces`);
  const so = await new RemoteSharedObject(client, 'many').connect();
  const changesBefore = new Promise<number>((resolve) => {
    client.methods.done = () => resolve(so.syncs.entries.length);
  });
  const from = so.syncs.mark;
  await client.call('manyChanges');
  // Those of a piece go out in the round after it; the call is made when all are done.
  expect(await changesBefore).toBeGreaterThan(from);
  await so.holds({ k: 59_999 });
});
