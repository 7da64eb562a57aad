import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { outstandingCalls: 20, pendingCommands: 3 },
  apps: {
    out: {
      'main.ts': `
        application.onConnect = (client, mode) => {
          if (mode === 'greet') {
            client.call('hello', null, 'before');
            application.acceptConnection(client);
            client.call('hello', null, 'after');
            return;
          }
          if (mode === 'pending') {
            application.waiting = client;
            return;
          }
          return true;
        };
        application.onDisconnect = (client) => {
          trace('left: ' + client.tag + ' ' + client.call('late', null));
        };
        Object.assign(Client.prototype, {
          ask(method, ...args) {
            return new Promise((resolve) => {
              const responder = {
                onResult(value) { resolve({ result: value, self: this === responder }); },
                onStatus(info) { resolve({ status: info, self: this === responder }); },
              };
              application.sent = this.call(method, responder, ...args);
            });
          },
          wasSent() { return application.sent; },
          tellNothing() { return [this.call('told'), this.call('told', null), this.call('told', undefined, 1)]; },
          askEmpty(method) { return this.call(method, {}); },
          async invoked(method, ...args) { return [await this.invoke(method, ...args)]; },
          async invokeFails(method) {
            try { return await this.invoke(method); }
            catch (error) { return { name: error.name, message: error.message, code: error.code, info: error.info, isError: error instanceof Error }; }
          },
          badNames() {
            const errors = [];
            for (const make of [() => this.call(''), () => this.call(7), () => this.call('x', 5), () => this.call.call({}, 'x')]) {
              try { make(); errors.push('none'); } catch (error) { errors.push(error.name + ': ' + error.message); }
            }
            return errors;
          },
          askOther(index) {
            const other = application.clients.find((c) => c !== this);
            const answer = new Promise((resolve) => {
              other.call('never', { onResult: () => resolve('result'), onStatus: (info) => resolve(info) });
            });
            const invoked = other.invoke('never').catch((error) => error.message);
            return Promise.all([answer, invoked]);
          },
          remember() { application.gone = this; this.tag = 'remembered'; },
          async callRemembered() {
            const gone = application.gone;
            return [gone.call('x', null), await gone.invoke('x').then(() => 'sent', (error) => error.code)];
          },
          broadcast(...args) { application.broadcastMsg('m', ...args); return application.clients.length; },
          acceptWaiting() { application.acceptConnection(application.waiting); },
          tellWaiting() { return application.waiting?.call('early', null, 1); },
          flood() {
            const sent = [];
            for (let i = 0; i < 30; i++) sent.push(this.call('never', { onResult() {} }));
            return sent.filter(Boolean).length;
          },
        });`,
    },
  },
});

const open = (instance: string, mode?: string) =>
  connect(`${server.rtmp}/out/${instance}`, { args: mode === undefined ? [] : [mode] });

test('a call made before the acceptance in the same handler arrives behind the answer to connect', async () => {
  const client = await open('greet', 'greet');
  await client.received.waitFor('after', (r) => r.args[0] === 'after');
  const names = client.received.entries
    .filter(({ name }) => name !== '')
    .map(({ name, args }) => [name, args[0]]);
  expect(names).toEqual([
    ['_result', expect.objectContaining({ code: 'NetConnection.Connect.Success' })],
    ['hello', 'before'],
    ['hello', 'after'],
  ]);
});

test('a call to a pending client waits for its acceptance', async () => {
  const boss = await open('queue');
  const client = await RtmpClient.open(`${server.rtmp}/out/queue`, { args: ['pending'] });
  const answer = client.startConnect();
  await eventually('the pending client to be known', async () => (await boss.call('tellWaiting')) === true);
  expect(client.callsOf('early')).toEqual([]);
  await boss.call('acceptWaiting');
  expect((await answer).name).toBe('_result');
  await client.waitForCall('early');
  const order = client.received.entries.map(({ name }) => name).filter((name) => name !== '');
  expect(order.slice(0, 2)).toEqual(['_result', 'early']);
});

test('onResult gets the value, with the responder as this', async () => {
  const client = await open('ask');
  client.methods = { add: (a, b) => Number(a) + Number(b) };
  expect(await client.call('ask', 'add', 2, 3)).toEqual({ result: 5, self: true });
  expect(await client.call('wasSent')).toBe(true);
});

test('onResult gets undefined from a method without a result', async () => {
  const client = await open('ask');
  client.methods = { nothing: () => undefined };
  expect(await client.call('ask', 'nothing')).toEqual({ result: undefined, self: true });
});

test('onStatus gets the info of a failure', async () => {
  const client = await open('ask');
  const { status, self } = (await client.call('ask', 'missing')) as Record<string, unknown>;
  expect(self).toBe(true);
  expect(status).toEqual({
    level: 'error',
    code: 'NetConnection.Call.Failed',
    description: 'Method not found (missing).',
  });
});

test('without a responder the call carries transaction 0', async () => {
  const client = await open('tell');
  expect(await client.call('tellNothing')).toEqual([true, true, true]);
  const calls = client.received.entries.filter(({ name }) => name === 'told');
  expect(calls.map(({ transaction, object, args }) => ({ transaction, object, args }))).toEqual([
    { transaction: 0, object: null, args: [] },
    { transaction: 0, object: null, args: [] },
    { transaction: 0, object: null, args: [1] },
  ]);
});

test('a responder without handlers is fine', async () => {
  const client = await open('tell');
  client.methods = { ok: () => 1 };
  expect(await client.call('askEmpty', 'ok')).toBe(true);
  expect(await client.call('askEmpty', 'missing')).toBe(true);
  expect(await client.call('ask', 'ok')).toMatchObject({ result: 1 });
});

test('invoke resolves with the result and rejects with an error that carries the info', async () => {
  const client = await open('invoke');
  client.methods = { twice: (n) => Number(n) * 2 };
  expect(await client.call('invoked', 'twice', 21)).toEqual([42]);
  expect(await client.call('invokeFails', 'nope')).toEqual({
    name: 'CallError',
    message: 'nope: Method not found (nope).',
    code: 'NetConnection.Call.Failed',
    info: { level: 'error', code: 'NetConnection.Call.Failed', description: 'Method not found (nope).' },
    isError: true,
  });
});

test('call says what is wrong with its arguments', async () => {
  const client = await open('invoke');
  expect(await client.call('badNames')).toEqual([
    expect.stringMatching(/^TypeError: client\.call: /),
    expect.stringMatching(/^TypeError: client\.call: /),
    expect.stringMatching(/^TypeError: client\.call: /),
    expect.stringMatching(/^TypeError: client\.call: .*Client/),
  ]);
});

test('who waits for a client that leaves is told Call.Failed', async () => {
  const client = await open('gone');
  const other = await open('gone');
  other.methods = { never: () => new Promise(() => {}) };
  const answer = client.call('askOther');
  await other.waitForCall('never');
  await other.reset();
  expect(await answer).toEqual([
    expect.objectContaining({ code: 'NetConnection.Call.Failed', description: 'Client disconnected' }),
    'never: Client disconnected',
  ]);
});

test('call says false and invoke rejects for a client that has left', async () => {
  const client = await open('gone2');
  const other = await open('gone2');
  await other.call('remember');
  await other.close();
  await server.waitForLog('left: remembered false');
  expect(await client.call('callRemembered')).toEqual([false, 'NetConnection.Call.Failed']);
});

test('broadcastMsg calls every accepted client and no pending one', async () => {
  const [a, b] = [await open('all'), await open('all')];
  const pending = await RtmpClient.open(`${server.rtmp}/out/all`, { args: ['pending'] });
  const answer = pending.startConnect();
  await eventually('the pending client to be known', async () => (await a.call('tellWaiting')) === true);
  expect(await a.call('broadcast', 1, { b: 'x' })).toBe(2);
  for (const client of [a, b]) expect((await client.waitForCall('m')).args).toEqual([1, { b: 'x' }]);
  await a.call('acceptWaiting');
  await answer;
  await a.call('broadcast', 'second');
  await pending.waitForCall('m');
  expect(pending.callsOf('m')).toEqual([['second']]);
  expect(a.received.entries.find(({ name }) => name === 'm')?.transaction).toBe(0);
});

test('calls that wait for answers are bounded: one client may have a tenth of them, and one too many says false', async () => {
  const clients = await Promise.all(Array.from({ length: 12 }, () => open('flood')));
  const sent: unknown[] = [];
  for (const client of clients) {
    client.methods = { never: () => new Promise(() => {}) };
    sent.push(await client.call('flood'));
  }
  expect(sent).toEqual([...Array(10).fill(2), 0, 0]);
});

test('more commands than a pending client may send end its connection', async () => {
  const client = await RtmpClient.open(`${server.rtmp}/out/ahead`, { args: ['pending'] });
  const answer = client.startConnect();
  for (let i = 0; i < 4; i++) client.send('hi');
  expect((await answer).args[0]).toMatchObject({ code: 'NetConnection.Connect.Rejected' });
  await client.closed;
});
