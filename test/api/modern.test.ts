import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  apps: {
    rows: { 'main.js': runsCode },
    exposed: {
      'main.ts': `
        application.onConnect = () => true;
        Client.prototype.hidden = () => 'nobody sees me';
        const text = { parse(args: unknown[]) { if (args.length !== 1 || typeof args[0] !== 'string') throw new Error('expected one text'); return args; } };
        const standard = { '~standard': { version: 1, vendor: 'test', validate(args: unknown[]) {
          return typeof args[0] === 'number' ? { value: [args[0] * 2] } : { issues: [{ message: 'expected a number', path: [0] }] };
        } } };
        application.expose({
          whoAmI(this: any) { return this === application.clients[0]; },
          say: { args: text, call(said: string) { return 'said ' + said; } },
          twice: { args: standard, call(n: number) { return n; } },
          even: { args: (args: any[]) => args[0] % 2 === 0, call(n: number) { return n; } },
          'deep.down': () => 'here',
          rarely: { perSecond: 0.5, call: () => 'done' },
          fail() { throw new RpcError('Game.Full', 'no seat left', { seats: 4 }); },
          async failLater() { throw new RpcError('Game.Late', 'too late'); },
          break() { throw new Error('a bug'); },
        });`,
    },
  },
});

test('MOD-01: client.invoke is a promise for the answer, with a time limit and a signal', async () => {
  const client = await connect(`${server.rtmp}/rows/invoke`, {
    methods: { add: (a, b) => Number(a) + Number(b), never: () => new Promise(() => {}) },
  });
  expect(await run(client, 'return client.invoke("add", 1, 2)')).toBe(3);
  const failed = (code: string) =>
    run(client, `return ${code}.then(() => 'answered', (e) => [e.name, e.code, e.message])`);
  expect(await failed('client.invoke({ method: "never", timeoutMs: 30 })')).toEqual([
    'CallError',
    'E_TIMEOUT',
    'never: No answer within 30 ms',
  ]);
  expect(await run(client, 'return client.invoke({ method: "add", timeoutMs: 60000 }, 3, 4)')).toBe(7);
  const signal = `
    const listeners = new Set();
    const signal = {
      aborted: false,
      reason: undefined,
      addEventListener: (type, f) => listeners.add(f),
      removeEventListener: (type, f) => listeners.delete(f),
    };
    const abort = () => { signal.aborted = true; signal.reason = 'enough'; for (const f of listeners) f(); };
    setTimeout(abort, 10);
    return client.invoke({ method: "never", signal }).catch((reason) => [reason, listeners.size]);`;
  expect(await run(client, signal)).toEqual(['enough', 0]);
  expect(await failed('client.invoke({ method: "add", timeoutMs: "soon" }, 1, 2)')).toEqual([
    'TypeError',
    undefined,
    'client.invoke: timeoutMs is "soon", expected milliseconds',
  ]);
});

test('MOD-03: a remote method may be async', async () => {
  const client = await connect(`${server.rtmp}/rows/async`, { methods: { double: (n) => Number(n) * 2 } });
  await run(
    client,
    'client.quadruple = (n) => client.invoke("double", n).then((twice) => client.invoke("double", twice))',
  );
  expect(await client.call('quadruple', 5)).toBe(20);
});

test('MOD-05: once methods are exposed, clients may call these and no others, with arguments that were checked', async () => {
  const client = await connect(`${server.rtmp}/exposed/room`);
  expect(await client.call('whoAmI')).toBe(true);
  expect(await client.call('say', 'hello')).toBe('said hello');
  expect(await client.call('twice', 4)).toBe(8);
  expect(await client.call('even', 2)).toBe(2);
  expect(await client.call('deep/down')).toBe('here');
  expect((await client.callFails('hidden')).description).toBe('Method not found (hidden).');
  expect((await client.callFails('say', 7)).description).toBe('say: expected one text');
  expect((await client.callFails('twice', 'x')).description).toBe('twice: argument 0: expected a number');
  expect((await client.callFails('even', 3)).description).toBe('even: the arguments were refused');
  // What a client does wrong is no error of the script.
  expect(server.log.entries.filter((r) => r.instance === 'exposed/room' && r.level === 'error')).toEqual([]);
});

test('MOD-09: a thrown RpcError is the info object of the failed call, and no error of the script', async () => {
  const client = await connect(`${server.rtmp}/exposed/errors`);
  expect(await client.callFails('fail')).toEqual({
    level: 'error',
    code: 'Game.Full',
    description: 'no seat left',
    data: { seats: 4 },
  });
  expect(await client.callFails('failLater')).toMatchObject({ code: 'Game.Late', description: 'too late' });
  expect(await client.callFails('break')).toMatchObject({
    code: 'NetConnection.Call.Failed',
    description: 'a bug',
  });
  await server.waitForLog((r) => r.instance === 'exposed/errors' && r.message.includes('a bug'));
  const errors = server.log.entries.filter((r) => r.instance === 'exposed/errors' && r.level === 'error');
  expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining('break: a bug')]);
});

test('MOD-10: application.on and client.on take any number of listeners beside the one handler', async () => {
  const witness = await connect(`${server.rtmp}/rows/listeners`);
  await run(
    witness,
    `const tell = (...args) => client.call('told', null, ...args);
     application.onDisconnect = (c) => tell('onDisconnect', c.id);
     application.on('connect', (c) => { tell('connect', c.id); c.on('disconnect', function () { tell('left', this.id); }); });
     application.on('disconnect', (c) => tell('disconnect', c.id));
     const off = application.on('disconnect', () => tell('never'));
     off();
     off();`,
  );
  const other = await connect(`${server.rtmp}/rows/listeners`);
  const id = await run(other, 'return client.id');
  await other.close();
  await eventually('all to be told', () => witness.callsOf('told').length >= 4);
  expect(witness.callsOf('told')).toEqual(
    ['connect', 'onDisconnect', 'disconnect', 'left'].map((what) => [what, id]),
  );
  expect(
    await run(witness, 'try { application.on("explode", () => {}) } catch (e) { return e.message }'),
  ).toBe(
    'application.on: there is no event "explode"; known are start, stop, connect, disconnect, publish, unpublish, status',
  );
});

test('MOD-22: perSecond bounds how often one client may call an exposed method', async () => {
  const [a, b] = [await connect(`${server.rtmp}/exposed/rate`), await connect(`${server.rtmp}/exposed/rate`)];
  expect(await a.call('rarely')).toBe('done');
  expect((await a.callFails('rarely')).description).toBe('rarely: at most 0.5 calls a second');
  expect(await b.call('rarely')).toBe('done');
});

test('MOD-21: what a script prints is a line of the log with its instance and build', async () => {
  await run(await connect(`${server.rtmp}/rows/log`), 'trace("hello log")');
  const record = await server.waitForLog((r) => r.message === 'hello log');
  expect(record).toMatchObject({
    level: 'info',
    instance: 'rows/log',
    build: expect.stringMatching(/^[0-9a-f]{8}$/),
  });
});
