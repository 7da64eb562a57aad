import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bundleParts, bundleRuntime } from '../../host/scripts/bundles.ts';
import { EcmaArray, ObjectVector, TypedObject, Xml, XmlDocument } from '../../wire/values.ts';
import { eventually } from '../support/journal.ts';
import { namesIn, type Patch, patchEverything } from '../support/patched-app.ts';
import { connect, connectRefused, type RtmpClient } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const runtime = await bundleRuntime();
const { web } = await bundleParts();
const names = namesIn(runtime + web);

/** Handlers that use no built-in: what they do has to work whatever became of those. */
const handlers = `
application.onConnect = (client, wish) => {
  client.wish = wish;
  if (wish === 'refuse me') return false;
  if (wish === 'tell me why') return application.rejectConnection(client, 'Grüße', { reasons: [1, { x: 'ü' }] });
  if (wish === 'later') {
    client.id_ = setTimeout(() => application.acceptConnection(client), 5);
    return;
  }
  if (wish === 'throw') return null.connect;
  return true;
};
application.onReattach = (client, reason) => {
  client.wish += ', after ' + reason;
  return true;
};
application.onDisconnect = (client) => { if (typeof client.wish === 'string') trace('left: ' + client.wish); };
application.onStatus = (info) => trace('status: ' + info.description + ' line ' + (info.lineno > 0));
application.authorizePublish = (client, stream) => stream.name === 'ok' || 'no: ' + stream.name;
application.onPublish = (client, stream) => trace('publishes ' + stream.name);
application.onUnpublish = (client, stream) => trace('unpublishes ' + stream.name);

Client.prototype.echo = (value) => value;
Client.prototype.wished = function () { return this.wish; };
Client.prototype.deep = { er: { method() { return typeof this.method; } } };
Client.prototype.fails = () => null.member;
Client.prototype.throws = () => { throw { __proto__: null }; };
Client.prototype.badResult = () => ({ list: [{ id: 1n }] });
Client.prototype.uuid = () => crypto.randomUUID();
Client.prototype.startTimers = function () {
  let ticks = 0;
  const interval = setInterval((step) => {
    ticks += step;
    this.call('tick', null, ticks, { step });
    if (ticks === 6) clearInterval(interval);
  }, 2, 2);
  const counter = { left: 2, count() { if (--this.left === 0) clearInterval(named); } };
  const named = setInterval(counter, 'count', 2);
  setTimeout((text) => this.call('timeout', null, text), 1, 'späť');
  clearTimeout(setTimeout(() => this.call('never', null), 1));
  queueMicrotask(() => this.call('microtask', null));
  return 'started';
};
Client.prototype.everybody = (text) => application.broadcastMsg('news', text, [text]);
Client.prototype.ask = function (method, value) {
  return this.call(method, {
    onResult: (answer) => this.call('answered', null, answer),
    onStatus: (info) => this.call('answered', null, info),
  }, value, { nested: [value] });
};
Client.prototype.leave = function () { return application.disconnect(this); };
Client.prototype.count = () => application.clients.length;
Client.prototype.print = (value) => console.warn('printed', value, 7);
Client.prototype.urls = () => {
  const url = new URL('../x?a=1&b=%C3%BC#h', 'http://u@host:81/p/q/');
  const { searchParams } = url;
  searchParams.append('c d', 'é&\ud800');
  searchParams.set('a', '2');
  searchParams.delete('none');
  const before = url.href;
  url.search = '?z=1&y=2';
  searchParams.sort();
  url.port = '82';
  const other = new URLSearchParams({ k: 'v w' });
  return { before, after: url.href, a: searchParams.get('z'), all: other.toString(), can: URL.canParse('nope'), none: URL.parse('nope') };
};
Client.prototype.texts = () => {
  const bytes = new TextEncoder().encode('ü€\ud83d\ude00');
  const decoder = new TextDecoder('utf-8', { __proto__: null, fatal: true });
  const text = decoder.decode(bytes);
  return { text, into: new TextEncoder().encodeInto('äö', bytes), base64: btoa('abcd'), back: atob(' YWJj ZA') };
};
Client.prototype.clones = () => {
  const value = { list: [1, 'two', { three: 3 }], when: new URL('http://x/').href, nothing: null, self: null };
  value.self = value;
  const copy = structuredClone(value);
  let name;
  try { structuredClone({ f() {} }); } catch (error) { name = error.name; }
  return { isCopy: copy !== value, isLoop: copy.self === copy, list: copy.list, when: copy.when, name };
};
Client.prototype.aborts = () => {
  const told = { times: 0, name: '' };
  const controller = new AbortController();
  const any = AbortSignal.any({ [iterator]: () => { let left = 2; return { next: () => ({ done: left-- === 0, value: controller.signal }) }; } });
  any.addEventListener('abort', (event) => { told.times++; told.name = event.type + ' ' + any.reason.name; }, { __proto__: null, once: true });
  any.onabort = () => { told.times++; };
  const target = new EventTarget();
  target.addEventListener('x', () => null.member);
  target.addEventListener('x', () => { told.times++; });
  target.dispatchEvent(new Event('x'));
  controller.abort();
  return told;
};
Client.prototype.token = (token, key) => {
  let refusal;
  try { verifyToken(token + 'A', key); } catch (error) { refusal = error.code; }
  return [verifyToken(token, key, { audience: 'b', algorithms: ['HS256'] }).sub, refusal];
};
const iterator = Symbol.iterator;
(() => {
  // Their methods are their own: those of the prototype are replaced like everything else.
  const own = (file) => {
    for (const name of Object.getOwnPropertyNames(File.prototype)) {
      if (name !== 'constructor' && typeof file[name] === 'function') file['own_' + name] = file[name];
    }
    return file;
  };
  const notes = own(new File('notes.txt'));
  const home = own(new File('/'));
  Client.prototype.file = () => [
    notes.own_open('text', 'create'),
    notes.own_write('Grüße', 1, true),
    notes.own_writeln(),
    notes.own_writeAll(['a', 'ü']),
    notes.own_close(),
    notes.own_open('text', 'read,append'),
    notes.own_read(3),
    notes.own_readln(),
    notes.own_readAll(),
    notes.own_eof(),
    notes.own_seek(-2),
    notes.own_close(),
    notes.own_close(),
    home.own_list((name) => name === 'notes.txt').length,
    notes.own_open('binary', 'readWrite'),
    notes.own_write('\u00ff'),
    notes.own_read(2),
    notes.own_close(),
    notes.own_copyTo('../notes.txt'),
  ];
})();
Client.prototype.seen = () => application.seen();
Client.prototype.patches = () => application.patches();
`;

/** Handlers that use promises: whatever they call is the script's, so here the values that built-ins see count. */
const promises = `
application.onConnect = async (client, wish) => { await null; return wish !== 'refuse me'; };
application.authorizePublish = async (client, stream) => { await null; return stream.name === 'ok'; };
Client.prototype.sum = async function (a, b) {
  const parts = await Promise.all([a, new Promise((resolve) => setTimeout(() => resolve(b), 1))]);
  return { sum: parts[0] + parts[1] };
};
Client.prototype.ask = async function (method, value) {
  try { return [await this.invoke(method, value)]; } catch (error) { return error.message; }
};
Client.prototype.fails = async function () { await null; throw new RangeError('too far'); };
Client.prototype.forget = function () { Promise.reject(new Error('forgotten')); };
Client.prototype.map = (value) => Array.from(new Map(Object.entries(value)).entries());
Client.prototype.soon = function () { queueMicrotask(() => this.call('soon', null, [1, 2].map((x) => x * 2))); };
Client.prototype.dates = () => [new Date() instanceof Date, typeof Date(), new Intl.DateTimeFormat('de').format().length > 3];
Client.prototype.random = () => [Math.random() < 1, crypto.randomUUID().length, crypto.getRandomValues(new Uint8Array(4)).length];
Client.prototype.seen = () => application.seen();
`;

/** Each method tries to get hold of something of the runtime's, and tells what it got. */
const attacks = `
const sourceOf = (value) => typeof value === 'function' ? Function.prototype.toString.call(value) : String(value);
const keep = [];
const got = (value) => { keep.push(value); };
const mine = new Set([globalThis, application, undefined, null]);
const stack = () => {
  Error.prepareStackTrace = (error, sites) => {
    for (const site of sites) {
      const self = site.getThis();
      if (!mine.has(self) && !(self instanceof Client) && !mine.has(Object.getPrototypeOf(self))) got(self);
      if (site.getFunction()) got(site.getFunction());
    }
    return 'prepared';
  };
  const { stack } = new Error('x');
  Error.prepareStackTrace = undefined;
  return stack;
};
application.onDisconnect = () => void stack();
Client.prototype.callSites = function () {
  const results = [stack()];
  const look = { valueOf() { results.push(stack()); return 1; }, toString() { results.push(stack()); return 'text'; } };
  mine.add(Object.getPrototypeOf(look)).add(look);
  setTimeout(() => stack(), look);
  clearTimeout(look);
  trace(look);
  console.log({ get a() { return stack(); } });
  this.call('x', { get onResult() { stack(); return () => stack(); } }, { get a() { return stack(); } });
  new Promise(() => stack());
  queueMicrotask(stack);
  return { get a() { stack(); return results; }, then: undefined };
};
Client.prototype.thenable = () => ({ then(resolve, reject) { got(resolve); got(reject); stack(); resolve('adopted'); } });
Client.prototype.caller = function caller() { return [caller.caller, arguments.callee.caller, caller.arguments.length]; };
Client.prototype.got = () => keep.map(sourceOf);
Client.prototype.clear = () => { keep.length = 0; };

Client.prototype.badPrepare = (how) => {
  Error.prepareStackTrace = { throws: () => { throw 1; }, object: () => ({}), number: 5 }[how];
  null.member;
};
Client.prototype.badLimit = (how) => {
  const set = (descriptor) => Object.defineProperty(Error, 'stackTraceLimit', { configurable: true, ...descriptor });
  if (how === 'setter') set({ get() { throw 1; }, set() { throw 2; } });
  else set({ value: { huge: 1e308, NaN, negative: -1, text: 'all' }[how], writable: true });
  try { null.member; } finally { set({ value: 10, writable: true }); }
};
Client.prototype.badError = (how) => {
  const error = new Error('kept');
  const hostile = { get() { throw new Error('trap'); } };
  if (how === 'proxy') throw new Proxy(error, { get() { throw new Error('trap'); }, getPrototypeOf() { throw new Error('trap'); } });
  throw Object.defineProperty(error, how, hostile);
};

Client.prototype.exchangePromise = function () {
  const original = Object.getPrototypeOf(Promise);
  const stamped = {};
  Object.setPrototypeOf(Promise, function (executor) { got(executor); return stamped; });
  const { constructor, then } = Promise.prototype;
  Promise.prototype.then = function (a, b) { got(a); got(b); return then.call(this, a, b); };
  Promise.prototype.constructor = { [Symbol.species]: function (executor) { got(executor); return new original(executor); } };
  Object.defineProperty(Promise, Symbol.species, { configurable: true, get() { return function (executor) { got(executor); return new original(executor); }; } });
  const promise = this.invoke('double', 4);
  Promise.prototype.then = then;
  const result = new original((resolve) => promise.then(resolve));
  queueMicrotask(() => this.call('soon', null));
  Object.setPrototypeOf(Promise, original);
  Promise.prototype.constructor = constructor;
  return result;
};
Client.prototype.exchangeBases = function (values) {
  const tried = [];
  for (const value of values) {
    const { constructor } = Object.getPrototypeOf(value);
    tried.push(Reflect.setPrototypeOf(constructor, function () { return {}; }), Reflect.defineProperty(constructor, Symbol.hasInstance, { value: () => true }));
  }
  try { load('late.asc'); } catch (error) { tried.push(Reflect.setPrototypeOf(error.constructor, function () { return {}; })); }
  return tried;
};
Client.prototype.proxies = function (how) {
  const names = [];
  const traps = { get(target, key, receiver) { got(target === traps || receiver); if (how === 'throw' && key !== 'returned') throw new Error('trap'); names.push(key); return undefined; },
    has() { return false; }, set(target, key, value, receiver) { got(value); return Reflect.defineProperty(receiver, key, { value, configurable: true, writable: true, enumerable: true }); } };
  Object.setPrototypeOf(how === 'application' ? application : Client.prototype, new Proxy({}, traps));
  return 'exchanged';
};
Client.prototype.restore = () => { Object.setPrototypeOf(application, Object.prototype); Object.setPrototypeOf(Client.prototype, Object.prototype); };
Client.prototype.sendsMeanwhile = function () {
  return { before: [1, 'two'], get middle() { client_.call('meanwhile', null, { nested: { text: 'y'.repeat(300) } }); return { x: 'z' }; }, after: 3 };
};
let client_;
Client.prototype.me = function () { client_ = this; };
Client.prototype.freezeClients = () => { Object.freeze(application.clients); return application.clients.length; };
Client.prototype.double = (x) => x * 2;
`;

const app = (patch: Patch) => ({ 'main.js': handlers + patchEverything(patch, names) });
const server = useServer({
  apps: {
    throw: app('throw'),
    garbage: app('garbage'),
    watch: app('watch'),
    promises: { 'main.ts': promises + patchEverything('watch', []) },
    attacks: { 'main.js': attacks },
    calm: { 'main.ts': 'Client.prototype.alive = () => "alive";' },
  },
});

const date = new Date(86_400_000);
const value = {
  text: 'Grüße, 世界 \u{1f44b}',
  list: [1, -0.5, 'zwei', [], [null, true, { deep: [{ er: 'ß' }] }]],
  date,
  empty: {},
  get: 'a key like a descriptor',
  constructor: 'x',
  length: 3,
  0: 'zero',
  7: 'seven',
};

for (const patch of ['throw', 'garbage', 'watch'] as const) {
  describe(`when every built-in ${patch === 'throw' ? 'throws' : patch === 'garbage' ? 'returns garbage' : 'is watched'}`, () => {
    const url = () => `${server.rtmp}/${patch}`;

    test('there are many of them', async () => {
      expect(await (await connect(url())).call('patches')).toBeGreaterThan(1500);
    });

    test('clients are accepted, refused and told why, with their arguments', async () => {
      const client = await connect(url(), { args: [value] });
      expect(await client.call('wished')).toEqual(value);
      expect(await connectRefused(url(), { args: ['refuse me'] })).toMatchObject({
        code: 'NetConnection.Connect.Rejected',
      });
      expect(await connectRefused(url(), { args: ['tell me why'] })).toMatchObject({
        description: 'Grüße',
        application: { reasons: [1, { x: 'ü' }] },
      });
      expect(await connectRefused(url(), { args: ['throw'] })).toMatchObject({ description: 'Script error' });
      const later = await connect(url(), { args: ['later'] });
      expect(await later.call('wished')).toBe('later');
    });

    for (const objectEncoding of [0, 3] as const) {
      test(`values survive the way there and back, AMF${objectEncoding}`, async () => {
        const client = await connect(url(), { objectEncoding });
        expect(await client.call('echo', value)).toEqual(value);
        expect(await client.call('echo', [value, [value]])).toEqual([value, [value]]);
        expect(await client.call('echo', 'ü'.repeat(70_000))).toBe('ü'.repeat(70_000));
        for (const each of [0, -1.5, NaN, true, null, undefined, '', 'ä', date, [], {}]) {
          expect(await client.call('echo', each)).toEqual(each);
        }
        const many = Array.from({ length: 50 }, (_, id) => ({ id, tags: ['a', `tag ${id}`] }));
        expect(await client.call('echo', many)).toEqual(many);
        const loop: Record<string, unknown> = { many };
        loop.self = loop;
        expect(await client.call('echo', loop)).toEqual(loop);
      });
    }

    test('what only AMF3 can say survives too', async () => {
      const client = await connect(url(), { objectEncoding: 3 });
      for (const each of [
        Uint8Array.of(1, 2, 255),
        Int32Array.of(-1, 2),
        Uint32Array.of(1, 0xffffffff),
        Float64Array.of(0.5, -1e300),
        new Map<unknown, unknown>([['k', { v: 1 }]]),
      ]) {
        expect(await client.call('echo', each)).toEqual(each);
      }
    });

    test('methods are found by path, missing ones are missing', async () => {
      const client = await connect(url());
      expect(await client.call('deep.er.method')).toBe('function');
      expect(await client.call('deep/er/method')).toBe('function');
      for (const missing of ['nothing', 'deep.er', 'deep..er', 'toString', 'constructor', 'call', 'x/y']) {
        expect((await client.callFails(missing)).code).toBe('NetConnection.Call.Failed');
      }
    });

    test('errors of handlers are reported with message and place', async () => {
      const client = await connect(url());
      const from = server.log.entries.length;
      expect((await client.callFails('fails')).description).toMatch(/Cannot read properties of null/);
      const record = await server.waitForLog(
        (r) => r.code === 'E_SCRIPT' && r.instance?.startsWith(patch) === true,
        from,
      );
      expect(record.message).toMatch(/fails.*Cannot read properties of null/s);
      expect(record.message + record.detail).toContain('null.member');
      await server.waitForLog('line true', from);
      expect((await client.callFails('throws')).description).toMatch(/thrown|not/);
      expect((await client.callFails('badResult')).description).toMatch(/bigint.*list\.0\.id/);
    });

    test('timers run', async () => {
      const client = await connect(url());
      expect(await client.call('startTimers')).toBe('started');
      await client.received.waitFor('three ticks', () => client.callsOf('tick').length === 3);
      await client.waitForCall('timeout');
      expect(client.callsOf('tick')).toEqual([2, 4, 6].map((ticks) => [ticks, { step: 2 }]));
      expect(client.callsOf('timeout')).toEqual([['späť']]);
      expect(client.callsOf('microtask')).toEqual([[]]);
      expect(client.callsOf('never')).toEqual([]);
    });

    test('clients are called, one and all', async () => {
      const client = await connect(url(), { methods: { double: (x) => Number(x) * 2 } });
      const other = await connect(url());
      await client.call('everybody', 'Neuigkeit: ü');
      for (const each of [client, other]) {
        await each.waitForCall('news');
        expect(each.callsOf('news')).toEqual([['Neuigkeit: ü', ['Neuigkeit: ü']]]);
      }
      expect(await client.call('ask', 'double', 21)).toBe(true);
      await client.waitForCall('answered');
      expect(client.callsOf('answered')).toEqual([[42]]);
    });

    test('files are read and written', async () => {
      const client = await connect(url());
      const expected = [true, true, true, true, true, true, 'Grü', 'ße1true', ['a', 'ü'], true, 16];
      expected.push(true, false, 1, true, true, 'r\u00c3', true, false);
      expect(await client.call('file')).toEqual(expected);
    });

    test('publishing is authorized', async () => {
      const client = await connect(url());
      const stream = await client.createStream();
      expect(await stream.publish('other')).toMatchObject({
        code: 'NetStream.Publish.BadName',
        description: 'no: other',
      });
      expect(await stream.publish('ok')).toMatchObject({ code: 'NetStream.Publish.Start' });
      await server.waitForLog((r) => r.instance?.startsWith(patch) === true && r.message === 'publishes ok');
      await client.close();
      await server.waitForLog(
        (r) => r.instance?.startsWith(patch) === true && r.message === 'unpublishes ok',
      );
    });

    test('clients leave, and those who wait for them hear it', async () => {
      const leaving = await connect(url(), { args: ['to leave'] });
      leaving.send('leave');
      await leaving.closed;
      await server.waitForLog(
        (r) => r.instance?.startsWith(patch) === true && r.message === 'left: to leave',
      );
    });

    test('identifiers and log lines are made', async () => {
      const client = await connect(url());
      expect(await client.call('uuid')).toMatch(
        /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
      );
      await client.call('print', { a: [1, 'ü', date] });
      await server.waitForLog(
        (r) => r.instance?.startsWith(patch) === true && r.message.startsWith('printed { a: [1, "ü", '),
      );
    });

    test('the standards of the web are there', async () => {
      const client = await connect(url());
      expect(await client.call('urls')).toEqual({
        before: 'http://u@host:81/p/x?a=2&b=%C3%BC&c+d=%C3%A9%26%EF%BF%BD#h',
        after: 'http://u@host:82/p/x?y=2&z=1#h',
        ...{ a: '1', all: 'k=v+w', can: false, none: null },
      });
      expect(await client.call('texts')).toEqual({
        ...{ text: 'ü€\u{1f600}', into: { read: 2, written: 4 }, base64: 'YWJjZA==', back: 'abcd' },
      });
      expect(await client.call('clones')).toEqual({
        ...{
          isCopy: true,
          isLoop: true,
          list: [1, 'two', { three: 3 }],
          when: 'http://x/',
          name: 'DataCloneError',
        },
      });
      // RFC 7515's way, of {"sub":"ann","aud":["a","b"]}.
      const token = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"sub":"ann","aud":["a","b"]}').toString('base64url')}`;
      const signature = createHmac('sha256', 'key').update(token).digest('base64url');
      expect(await client.call('token', `${token}.${signature}`, 'key')).toEqual(['ann', 'E_TOKEN']);
      expect(await client.call('aborts')).toEqual({ times: 3, name: 'abort AbortError' });
    });

    test('the runtime has looked at none of them', async () => {
      expect(await lookedAt(await connect(url()))).toEqual([]);
    });

    test('clients are handed over to new code', async () => {
      const client = await connect(url(), { args: ['keep me'] });
      const from = server.log.entries.length;
      server.writeFile(`${patch}/main.js`, `${app(patch)['main.js']}\n// saved again\n`);
      await server.waitForLog(
        (r) => r.instance?.startsWith(patch) === true && r.message.startsWith('runs new code'),
        from,
      );
      expect(await client.call('wished')).toBe('keep me, after reload');
      expect(await client.call('echo', value)).toEqual(value);
      expect(await lookedAt(client)).toEqual([]);
    });
  });
}

/** The built-ins that were called or looked at. Describing an error reads its name and message, which it inherits. */
async function lookedAt(client: RtmpClient): Promise<string[]> {
  const seen = String(await client.call('seen')).split('\0');
  return seen.filter((name) => name !== '' && !/Error\.prototype\.(name|message|stack)$/.test(name));
}

/** `Client` and the errors that scripts catch are theirs to know. */
const PUBLIC =
  /^function \w+\(\)\{throw new \w+\("Client: clients are made|^class (?:class )?extends Error\s?\{\s*name\s?=\s?"(CallError|FetchError|StagewireError)"/;

/** Of what a script got hold of, what the runtime would not have given away. */
function internals(values: unknown): string[] {
  return (values as string[]).filter((value) => {
    const [, kind, source = ''] = /^(?:(function|class|object) )?(.*)$/s.exec(value) ?? [];
    if (kind === 'object') return /^\[object (Set|Weak\w+|Shared\w+)\]$/.test(source);
    return source.length > 20 && (runtime + web).includes(source) && !PUBLIC.test(source);
  });
}

describe('a script that watches built-ins and uses promises', () => {
  const url = () => `${server.rtmp}/promises`;

  test('is served as any other', async () => {
    const client = await connect(url(), { methods: { double: (x) => Number(x) * 2 } });
    expect(await connectRefused(url(), { args: ['refuse me'] })).toMatchObject({ level: 'error' });
    expect(await client.call('sum', 1, 2)).toEqual({ sum: 3 });
    expect(await client.call('ask', 'double', 21)).toEqual([42]);
    expect(await client.call('ask', 'nothing', 21)).toMatch(/^nothing: /);
    expect((await client.callFails('fails')).description).toBe('RangeError: too far');
    await client.call('forget');
    const record = await server.waitForLog((r) => r.code === 'E_SCRIPT' && r.message.includes('forgotten'));
    expect(record.message).toContain('forget');
    expect(await client.call('map', { a: 1 })).toEqual([['a', 1]]);
    await client.call('soon');
    await client.waitForCall('soon');
    expect(client.callsOf('soon')).toEqual([[[2, 4]]]);
    expect(await client.call('dates')).toEqual([true, 'string', true]);
    expect(await client.call('random')).toEqual([true, 36, 4]);
    const stream = await client.createStream();
    expect(await stream.publish('other')).toMatchObject({ code: 'NetStream.Publish.BadName' });
    expect(await stream.publish('ok')).toMatchObject({ code: 'NetStream.Publish.Start' });
  });

  test('sees functions and objects, but none of the runtime', async () => {
    const seen = String(await (await connect(url())).call('seen')).split('\0');
    expect(seen.filter((part) => part.startsWith('function ')).length).toBeGreaterThan(3);
    expect(seen.filter((part) => part.startsWith('object ')).length).toBeGreaterThan(3);
    expect(internals(seen)).toEqual([]);
  });
});

describe('a script that goes for the runtime', () => {
  const open = () =>
    connect(`${server.rtmp}/attacks`, {
      objectEncoding: 3,
      methods: { double: (x) => Number(x) * 2, x: () => 'y' },
    });

  test('finds nothing on the stack', async () => {
    const leaving = await open();
    const client = await open();
    await client.call('clear');
    expect(await client.call('callSites')).toMatchObject({ a: expect.arrayContaining(['prepared']) });
    await leaving.close();
    await client.settled();
    expect(await client.call('thenable')).toBe('adopted');
    expect(await client.call('caller')).toEqual([null, null, 0]);
    const got = (await client.call('got')) as string[];
    expect(got.length).toBeGreaterThan(10);
    expect(internals(got)).toEqual([]);
    expect(got.filter((value) => value.startsWith('[object'))).toEqual([]);
  });

  for (const how of ['throws', 'object', 'number']) {
    test(`is reported with its stack when prepareStackTrace is one that gives ${how}`, async () => {
      const client = await open();
      const from = server.log.entries.length;
      expect((await client.callFails('badPrepare', how)).description).toMatch(/^TypeError: Cannot read/);
      const record = await server.waitForLog((r) => r.code === 'E_SCRIPT', from);
      expect(record.detail).toContain('null.member');
    });
  }

  for (const how of ['setter', 'huge', 'NaN', 'negative', 'text']) {
    test(`is reported when stackTraceLimit is ${how}`, async () => {
      const client = await open();
      expect((await client.callFails('badLimit', how)).description).toMatch(/^TypeError: Cannot read/);
    });
  }

  for (const how of ['name', 'message', 'stack', 'proxy']) {
    test(`is reported when the error's ${how} throws`, async () => {
      const client = await open();
      const { description } = await client.callFails('badError', how);
      expect(description).toMatch(how === 'proxy' || how === 'message' ? /cannot be described/ : /kept/);
    });
  }

  test('gets no executor and no callback by exchanging parts of promises', async () => {
    const client = await open();
    await client.call('clear');
    expect(await client.call('exchangePromise')).toBe(8);
    await client.waitForCall('soon');
    expect(internals(await client.call('got'))).toEqual([]);
  });

  test('cannot exchange what classes of the runtime extend', async () => {
    const client = await open();
    const values = [
      Object.assign(new ObjectVector('T'), [1]),
      new EcmaArray({ a: 1 }),
      new TypedObject('T', { a: 1 }),
      new Xml('<a/>'),
      new XmlDocument('<a/>'),
    ];
    const tried = (await client.call('exchangeBases', values)) as boolean[];
    expect(tried).toEqual(new Array(values.length * 2 + 1).fill(false));
  });

  test('may put proxies behind its objects', async () => {
    const client = await open();
    await client.call('clear');
    for (const how of ['application', 'client', 'throw']) {
      expect(await client.call('proxies', how)).toBe('exchanged');
      expect(await client.call('double', 4)).toBe(8);
      const other = await open();
      expect(await other.call('double', 5)).toBe(10);
      await other.close();
      await client.call('restore');
    }
    expect(internals(await client.call('got'))).toEqual([]);
  });

  test('may send while a result is read', async () => {
    const client = await open();
    await client.call('me');
    expect(await client.call('sendsMeanwhile')).toEqual({ before: [1, 'two'], middle: { x: 'z' }, after: 3 });
    expect(client.callsOf('meanwhile')).toEqual([[{ nested: { text: 'y'.repeat(300) } }]]);
  });

  test('may freeze the list of clients', async () => {
    const client = await open();
    const count = Number(await client.call('freezeClients'));
    const other = await open();
    expect(await other.call('double', 3)).toBe(6);
    await other.close();
    expect(await client.call('freezeClients')).toBe(count);
  });
});

test('a setter for the first item of every list meets no list of a delivery', async () => {
  const own = await startServer({
    apps: {
      setter: {
        'main.js': `
          application.onAppStart = () => {
            const so = SharedObject.get('so');
            so.onSync = (list) => { for (const each of list) if (each.name === 'slot') application.seen = so.getProperty('slot'); };
            Object.defineProperty(Array.prototype, 0, { set() { throw new Error('patched'); }, configurable: true });
          };
          application.onConnect = () => true;
          Client.prototype.seen = () => application.seen;`,
      },
    },
  });
  const client = await connect(`${own.rtmp}/setter`);
  const so = await new RemoteSharedObject(client, 'so').connect();
  so.set('slot', 7);
  await eventually('the script to see it', async () => (await client.call('seen')) === 7);
});

test('other instances do not notice', async () => {
  const client = await connect(`${server.rtmp}/calm`);
  expect(await client.call('alive')).toBe('alive');
});
