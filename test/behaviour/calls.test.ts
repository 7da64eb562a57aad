import { expect, test } from 'vitest';
import { type ClientOptions, connect, isCommand, RtmpClient, Type } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  apps: {
    calls: {
      'main.ts': `
        application.onConnect = (client, ...args) => {
          client.shadowed = function () { return 'own'; };
          client.a = { b: { label: 'inner', m(x) { return [this.label, x, this === client.a.b]; } }, text: 'no method' };
          client.list = [1, 2];
          return true;
        };
        application.onStatus = (info) => { application.last = info; };
        Object.assign(Client.prototype, {
          shadowed() { return 'prototype'; },
          onlyPrototype() { return [this.constructor === Client, application.clients.includes(this)]; },
          echo(...args) { return args; },
          echoOne(value) { return value; },
          count() { return arguments.length; },
          undefinedResult() {},
          nullResult() { return null; },
          throws() { throw new Error('broken'); },
          throwsText() { throw 'just text'; },
          later(value) { return new Promise((resolve) => setTimeout(() => resolve(value), 20)); },
          async asyncThrows() { await null; throw new RangeError('too far'); },
          returnsFunction() { return () => {}; },
          hang() { return new Promise(() => {}); },
          cyclic() { const o = { name: 'loop' }; o.self = o; return o; },
          lastStatus() { return application.last; },
          tell() { application.clients.forEach((c) => c.call('told', null)); },
          addLate() { Client.prototype.late = function () { return this.a !== undefined; }; },
        });`,
    },
    bare: { 'README.md': 'no script' },
  },
});

const open = (options?: ClientOptions) => connect(`${server.rtmp}/calls`, options);
const notFound = (name: string) => ({
  level: 'error',
  code: 'NetConnection.Call.Failed',
  description: `Method not found (${name}).`,
});

test('a call reaches the own method before that of the prototype', async () => {
  const client = await open();
  expect(await client.call('shadowed')).toBe('own');
  expect(await client.call('onlyPrototype')).toEqual([true, true]);
});

for (const path of ['a.b.m', 'a/b/m', 'a/b.m']) {
  test(`${path} is the method of the inner object, with that object as this`, async () => {
    const client = await open();
    expect(await client.call(path, 7)).toEqual(['inner', 7, true]);
  });
}

test('a method added to the prototype reaches clients that are connected already', async () => {
  const client = await open();
  expect(await client.callFails('late')).toEqual(notFound('late'));
  await client.call('addLate');
  expect(await client.call('late')).toBe(true);
});

const unreachable = [
  'missing',
  'a.b.missing',
  'missing.m',
  'a.text',
  'a.text.trim',
  'a',
  '__proto__',
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'call',
  'invoke',
  'disconnect',
  'a.constructor',
  'a.__proto__.toString',
  'a.b.m.call',
  'a.b.m.bind',
  'list.push',
  'echo.apply',
  'shadowed.constructor',
  'application.disconnect',
  'a..m',
  '.',
  '',
];
for (const name of unreachable) {
  test(`"${name}" cannot be called`, async () => {
    const client = await open();
    expect(await client.callFails(name)).toEqual(notFound(name));
    expect(await client.call('shadowed')).toBe('own');
  });
}

test('without a script every call fails with the same words', async () => {
  const client = await connect(`${server.rtmp}/bare`);
  expect(await client.callFails('foo')).toEqual(notFound('foo'));
});

const values: { name: string; value: unknown }[] = [
  { name: 'a number', value: -0.5 },
  { name: 'a large number', value: 2 ** 53 },
  { name: 'an infinite number', value: Number.NEGATIVE_INFINITY },
  { name: 'a text', value: 'gr\u00fc\u00dfe \u{1f44b}' },
  { name: 'a long text', value: 'x'.repeat(100_000) },
  { name: 'a boolean', value: false },
  { name: 'null', value: null },
  { name: 'undefined', value: undefined },
  { name: 'a date', value: new Date(1_234_567_890_123) },
  { name: 'an array', value: [1, 'two', [null]] },
  { name: 'an object', value: { a: { b: [true] }, empty: {} } },
  { name: 'an object with names of JavaScript', value: { constructor: 1, toString: 'x' } },
];
for (const encoding of [0, 3] as const) {
  for (const { name, value } of values) {
    test(`${name} goes to the script and back with object encoding ${encoding}`, async () => {
      const client = await open({ objectEncoding: encoding });
      expect(await client.call('echo', value, 1)).toEqual([value, 1]);
      expect(await client.call('echoOne', value)).toEqual(value);
    });
  }
}

test('bytes go to the script and back as AMF3', async () => {
  const client = await open({ objectEncoding: 3 });
  expect(await client.call('echoOne', Uint8Array.of(1, 2, 255))).toEqual(Uint8Array.of(1, 2, 255));
});

test('an object that contains itself comes back as one', async () => {
  const client = await open();
  const loop = (await client.call('cyclic')) as { name: string; self: unknown };
  expect(loop.self).toBe(loop);
});

test('a call of type 17 whose selector is missing is understood', async () => {
  const client = await open();
  const payload = Buffer.from(
    '0200 0873 6861 646f 7765 6400 4059 0000 0000 0000 05'.replaceAll(' ', ''),
    'hex',
  );
  client.message({ type: Type.CommandAmf3, streamId: 0, timestamp: 0, payload });
  const answer = await client.received.waitFor('the result', (r) => r.transaction === 100);
  expect(answer).toMatchObject({ name: '_result', args: ['own'] });
});

test('a call passes exactly the arguments it has', async () => {
  const client = await open();
  expect(await client.call('count')).toBe(0);
  expect(await client.call('count', undefined)).toBe(1);
  expect(await client.call('count', 1, 2, 3)).toBe(3);
});

test('a method without a result answers undefined, not null', async () => {
  const client = await open();
  const nothing = await client.startCall('undefinedResult');
  expect(nothing).toMatchObject({ name: '_result', object: null, args: [undefined] });
  expect((await client.startCall('nullResult')).args).toEqual([null]);
});

test('the transaction id of an answer is that of the call, bit for bit', async () => {
  const client = await open();
  for (const transaction of [1e15 + 1, 0.1, 4294967297]) {
    client.command(0, 'shadowed', transaction, null);
    const answer = await client.received.waitFor('the answer', (r) => Object.is(r.transaction, transaction));
    expect(answer.args).toEqual(['own']);
  }
});

const throwing = [
  { method: 'throws', text: 'broken' },
  { method: 'throwsText', text: 'just text' },
  { method: 'asyncThrows', text: 'RangeError: too far' },
];
for (const { method, text } of throwing) {
  test(`${method}: the caller hears Call.Failed, the application Script.Error, and all go on`, async () => {
    const client = await open();
    const info = await client.callFails(method);
    expect(info).toMatchObject({ level: 'error', code: 'NetConnection.Call.Failed' });
    expect(info.description).not.toContain('main.ts');
    const status = (await client.call('lastStatus')) as Record<string, unknown>;
    expect(status).toMatchObject({ code: 'Application.Script.Error', level: 'error' });
    expect(status.description).toContain(text);
    expect(await client.call('shadowed')).toBe('own');
  });
}

test('a promise is answered when it settles, and later calls do not wait for it', async () => {
  const client = await open();
  const order: string[] = [];
  const slow = client.call('later', 'slow').then((value) => order.push(String(value)));
  const fast = client.call('shadowed').then((value) => order.push(String(value)));
  await Promise.all([slow, fast]);
  expect(order).toEqual(['own', 'slow']);
});

test('a call with transaction 0 is never answered, whatever becomes of it', async () => {
  const client = await open();
  const from = client.received.mark;
  for (const method of [
    'shadowed',
    'missing',
    'throws',
    'asyncThrows',
    'constructor',
    'onStatus',
    'initStream',
  ]) {
    client.send(method);
  }
  await client.call('later', 1);
  const answers = client.received.entries.slice(from).filter(isCommand);
  expect(answers.map(({ name, transaction }) => `${name} ${transaction}`)).toHaveLength(1);
});

test('a thousand calls in one go are answered in order', async () => {
  const client = await open();
  const numbers = Array.from({ length: 1000 }, (_, index) => index);
  const results = await Promise.all(numbers.map((n) => client.call('echoOne', n)));
  expect(results).toEqual(numbers);
});

test('answers to a client that has left disturb nobody', async () => {
  const client = await open();
  void client.startCall('later', 1).catch(() => {});
  await client.reset();
  const other = await open();
  expect(await other.call('later', 2)).toBe(2);
});

const reserved = ['connect', 'onStatus', 'initStream', 'setPeerInfo', '@setDataFrame'];
for (const name of reserved) {
  test(`${name} is answered by the server and never reaches the script`, async () => {
    const client = await open();
    expect(await client.callFails(name)).toMatchObject({ code: 'NetConnection.Call.Failed' });
  });
}

test('answers nobody asked for are ignored', async () => {
  const client = await open();
  client.command(0, '_result', 77, null, 'surprise');
  client.command(0, '_error', 78, null, { code: 'x' });
  expect(await client.call('shadowed')).toBe('own');
});

test('a function as result becomes undefined', async () => {
  const client = await open();
  const answer = await client.startCall('returnsFunction');
  expect(answer).toMatchObject({ name: '_result', args: [undefined] });
});

test('close ends the connection', async () => {
  const client = await RtmpClient.open(`${server.rtmp}/calls`);
  await client.connect();
  client.send('close');
  await client.closed;
});
