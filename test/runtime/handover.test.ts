import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeHeap, type RuntimeCode } from '../../host/core/heap.ts';
import { CoreIsolate, type Question } from '../../host/core/isolate.ts';
import { bundleParts, bundleRuntime } from '../../host/scripts/bundles.ts';
import type { BootOptions } from '../../runtime/wall/boot.ts';
import { type Command, decodeCommand } from '../../runtime/wall/commands.ts';
import { type Delivery, encodeDelivery } from '../../runtime/wall/deliveries.ts';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { seeded } from '../support/amf-generator.ts';

// Two isolates as cores have them, and nothing else: what one hands over in instalments while it changes is what the other has.

const MAX_BYTES = 16 * 1024 * 1024;
const CLIENTS = [1, 2, 3];

const options: BootOptions = {
  name: 'app/room',
  server: 'Stagewire',
  hostname: 'localhost',
  config: {},
  bandwidthCap: 0,
  amfDepth: 32,
  amfValues: 65_536,
  maxTimers: 100,
  maxOutstandingInvokes: 100,
  maxFetches: 4,
  maxFetchBytes: 65_536,
  maxArgumentBytes: 65_536,
  mostPrintedBytes: 65_536,
  yieldAfterMs: 1000,
};

/** A graph of every kind of data, what changes it by chance, and what tells all of it, with who is who. */
const SCRIPT = `
application.nodes = []; application.same = { of: 'the build' }; application.counts = new Map();
let random = 1, isMild = false;
const chance = (n) => ((random = (random * 1103515245 + 12345) % 2147483648) >> 8) % n;
const anyone = () => {
  const clients = application.clients;
  const others = [...Array.from({ length: clients.length }, (_, i) => clients[i]), ...application.nodes, application, application.same, null];
  return others[chance(others.length)];
};
const anything = () => [1.5, -0, NaN, 'text' + chance(9), '', true, undefined, null, 12n, anyone(), anyone(), anyone()][chance(12)];
const makers = [
  () => ({ a: anything(), b: anything() }),
  () => ({ __proto__: null, a: anything() }),
  () => [anything(), anything(), anything()],
  () => Object.assign([1, , 3], { named: anything() }),
  () => new Map([[anything(), anything()], ['k', anything()]]),
  () => new Set([anything(), anything()]),
  () => new Date(chance(1e6)),
  () => /a+/g,
  () => new Uint8Array([1, 2, chance(256)]),
  () => new Float64Array(new ArrayBuffer(24), 8, 2),
  () => Object.assign(new TypeError('wrong ' + chance(9)), { more: anything() }),
  () => ({ run: () => 1, kept: anything() }),
];
const change = (node) => {
  if (Array.isArray(node)) return [() => node.push(anything()), () => node.pop(), () => { node[chance(4)] = anything(); }, () => { node.named = anything(); }, () => { node.length = chance(5); }][chance(5)]();
  if (node instanceof Map) return chance(3) ? node.set(anything(), anything()) : node.clear();
  if (node instanceof Set) return chance(3) ? node.add(anything()) : node.clear();
  if (node instanceof Date) return isMild || node.setTime(chance(1e6));
  if (node instanceof RegExp) return isMild || (node.lastIndex = chance(5));
  if (ArrayBuffer.isView(node)) return void (node[0] = chance(200));
  if (chance(4) === 0) return void delete node[['a', 'b', 'more'][chance(3)]];
  node[['a', 'b', 'more', 'new' + chance(3)][chance(4)]] = anything();
};
application.onConnect = (client) => { client.list = []; return true; };
application.onReattach = () => true;
Client.prototype.mutate = function (seed, times, mild) {
  random = seed; isMild = mild === true;
  for (let i = 0; i < times; i++) {
    const { nodes } = application;
    const what = chance(10);
    if (what < 3 || nodes.length === 0) nodes.push(makers[chance(makers.length)]());
    else if (what < 8) change(nodes[chance(nodes.length)]);
    else if (what < 9) nodes.splice(chance(nodes.length), 1);
    else [() => { this.mood = anything(); }, () => { delete this.mood; }, () => { this.ip = 'hidden' + chance(3); },
      () => { this.readAccess = 'a' + chance(3); }, () => { application['p' + chance(3)] = anything(); },
      () => { delete application['p' + chance(3)]; }, () => { application.same.of = 'the script ' + chance(2); }][chance(7)]();
  }
};
Client.prototype.tell = () => {
  const ids = new Map();
  const say = (value) => {
    if (typeof value === 'bigint') return value + 'n';
    if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
    if (typeof value === 'function') return 'nothing';
    if (typeof value !== 'object' || value === null) return typeof value + ' ' + value;
    if (ids.has(value)) return '#' + ids.get(value);
    ids.set(value, ids.size);
    const kind = value instanceof Client ? 'Client ' + value.id + ' ' + value.readAccess
      : value instanceof Date ? 'Date ' + value.getTime() : value instanceof RegExp ? String(value) + value.lastIndex
      : value instanceof Error ? 'Error ' + value.message : value === application ? 'application' : Object.prototype.toString.call(value);
    const parts = value instanceof Map ? [...value].map(([k, v]) => say(k) + '=>' + say(v)) : value instanceof Set ? [...value].map(say)
      : ArrayBuffer.isView(value) ? [...value] : [];
    const keys = value === application ? ['nodes', 'same', 'counts', 'p0', 'p1', 'p2'].filter((key) => key in value) : Object.keys(value).sort();
    if (!ArrayBuffer.isView(value))
      for (const key of keys) if (typeof value[key] !== 'function') parts.push(key + ':' + say(value[key]));
    if (Array.isArray(value)) parts.push('length ' + value.length);
    return kind + '{' + parts.join(',') + '}';
  };
  return say(application) + ' | ' + Array.from({ length: application.clients.length }, (_, i) => say(application.clients[i])).join(' ');
};`;

const runtime: RuntimeCode = { source: '' };
let answerHere: (question: Uint8Array) => Uint8Array;

beforeAll(async () => {
  runtime.source = await bundleRuntime();
  (globalThis as { RUNTIME_PARTS?: unknown }).RUNTIME_PARTS = await bundleParts();
  ({ answerHere } = await import('../../host/core/answers.ts'));
});

/** A script, and what it said. */
class Script {
  static readonly all: Script[] = [];
  readonly #isolate: CoreIsolate;
  #calls = 0;

  static async start(code: string): Promise<Script> {
    const frame = {
      filename: 'app:test.js',
      options: JSON.stringify(options),
      memoryMb: 64,
      bootMs: 5000,
      handlerMs: 5000,
      maxOutputBytes: 1024 * 1024,
      nowMs: Date.now(),
      monotonicMs: 0,
      seed: randomBytes(48).toString('base64'),
      code,
    };
    const isolate = new CoreIsolate(await makeHeap(runtime, frame.memoryMb), frame);
    await isolate.boot(frame, ({ number, bytes }: Question) => isolate.answer(number, answerHere(bytes)));
    const script = new Script(isolate);
    Script.all.push(script);
    await script.turn({ kind: 'start' });
    return script;
  }

  private constructor(isolate: CoreIsolate) {
    this.#isolate = isolate;
  }

  async turn(...deliveries: Delivery[]): Promise<Command[]> {
    const records = new ByteWriter();
    for (const delivery of deliveries) encodeDelivery(records, delivery);
    const seed = randomBytes(48);
    const turn = { nowMs: Date.now(), monotonicMs: 0, seed, records: Buffer.from(records.view) };
    const { end, message, commands } = await this.#isolate.turn(turn);
    if (end !== 0) throw new Error(`the turn ended with ${end}: ${message}`);
    const reader = new ByteReader(commands);
    const said: Command[] = [];
    while (reader.remaining > 0) said.push(decodeCommand(reader));
    return said;
  }

  connect(client: number): Promise<Command[]> {
    const info = {
      id: `client${client}`,
      ip: '127.0.0.1',
      agent: '',
      referrer: '',
      pageUrl: '',
      uri: 'rtmp://localhost/app/room',
      protocol: 'rtmp',
      secure: false,
      canReconnect: false,
      access: { readAccess: '/', writeAccess: '/', audioSampleAccess: '', videoSampleAccess: '' },
      bandwidth: { toClient: 0, toServer: 0 },
    };
    const command = { type: 20, body: encodeAmf0(['connect', 1, { app: 'app/room' }]) };
    return this.turn({ kind: 'connect', client, info, command });
  }

  async call(client: number, method: string, ...args: unknown[]): Promise<unknown> {
    const call = ++this.#calls;
    const command = { type: 20, body: encodeAmf0([method, call, null, ...args]) };
    const said = await this.turn({ kind: 'call', client, call, command });
    const result = said.find((one) => one.kind === 'result');
    if (result?.kind !== 'result') throw new Error(`no result of ${method}: ${JSON.stringify(said)}`);
    return decodeAmf0(result.value)[0];
  }

  async draft(isFirst: boolean): Promise<{ text: string; isLast: boolean }> {
    const said = await this.turn({ kind: 'draft', maxBytes: MAX_BYTES, maxMs: 10_000, isFirst });
    const drafted = said.find((one) => one.kind === 'drafted');
    if (drafted?.kind !== 'drafted' || !drafted.isOk) throw new Error(`no draft: ${JSON.stringify(said)}`);
    return { text: await this.#state(), isLast: drafted.isLast };
  }

  async save(isDrafted: boolean): Promise<string> {
    const said = await this.turn({ kind: 'save', maxBytes: MAX_BYTES, maxMs: 10_000, isDrafted });
    expect(said).toMatchObject([{ kind: 'saved', error: '' }]);
    return this.#state();
  }

  async restore(text: string, isLast: boolean): Promise<void> {
    this.#isolate.giveState(text);
    const [said] = await this.turn({ kind: 'restore', from: 'old', isLast });
    if (said?.kind !== 'restored' || said.error !== '') throw new Error(JSON.stringify(said));
  }

  async #state(): Promise<string> {
    const text = await this.#isolate.takeState();
    if (text === undefined) throw new Error('there is no state');
    return text;
  }

  dispose(): void {
    this.#isolate.dispose();
  }
}

/** Says where they part: the whole would fill the screen. */
async function expectSame(script: Script, other: Script): Promise<void> {
  const [told, expected] = [await script.call(1, 'tell'), await other.call(1, 'tell')] as [string, string];
  let at = 0;
  while (at < told.length && told[at] === expected[at]) at++;
  const part = (text: string) => text.slice(Math.max(0, at - 80), at + 80);
  expect(part(told)).toBe(part(expected));
  expect(told.length).toBe(expected.length);
}

afterAll(() => {
  for (const script of Script.all) script.dispose();
});

async function startWithClients(): Promise<Script> {
  const script = await Script.start(SCRIPT);
  for (const client of CLIENTS) await script.connect(client);
  return script;
}

/** Gives all instalments but the last; returns how long they were. */
async function giveAll(old: Script, next: Script): Promise<number> {
  let given = 0;
  for (let isFirst = true; ; isFirst = false) {
    const { text, isLast } = await old.draft(isFirst);
    given += text.length;
    await next.restore(text, false);
    if (isLast) return given;
  }
}

describe('what a script hands over in instalments, while it changes, is what it has in the end', () => {
  for (let seed = 1; seed <= 40; seed++) {
    test(`seed ${seed}`, async () => {
      const random = seeded(seed);
      const [old, next] = await Promise.all([startWithClients(), Script.start(SCRIPT)]);
      await old.call(1, 'mutate', seed, 60);
      const clients = [...CLIENTS];
      const rounds = 1 + random(4);
      for (let round = 0; round < rounds; round++) {
        const { text } = await old.draft(round === 0);
        await next.restore(text, false);
        const client = clients[random(clients.length)]!;
        // Half of the time only what an instalment can mend, and not all of it anew.
        await old.call(client, 'mutate', seed * 100 + round, random(60), seed % 2 === 1);
        if (random(6) === 0) await old.connect(10 + round);
        if (random(8) > 0 || client === 1) continue;
        await old.turn({ kind: 'disconnect', client });
        clients.splice(clients.indexOf(client), 1);
      }
      const last = await old.save(true);
      await next.restore(last, true);
      await expectSame(next, old);
    });
  }
});

describe('so it is where it takes many instalments, and what one has named changes before another comes to it', () => {
  for (let seed = 1; seed <= 12; seed++) {
    test(`seed ${seed}`, async () => {
      const random = seeded(seed);
      const [old, next] = await Promise.all([startWithClients(), Script.start(SCRIPT)]);
      await old.call(1, 'mutate', seed, 1000 + random(4000), true);
      for (let round = 0; ; round++) {
        const { text, isLast } = await old.draft(round === 0);
        await next.restore(text, false);
        await old.call(1, 'mutate', seed * 100 + round, random(300), true);
        if (isLast) break;
      }
      await next.restore(await old.save(true), true);
      await expectSame(next, old);
    });
  }
});

/** Each is one change since a script has given everything; `true` if it takes giving all of it anew. */
const CHANGES: Readonly<Record<string, [code: string, isAnew?: true]>> = {
  'a property that changes': ['one.a = 2'],
  'a property more': ['one.c = 3'],
  'the last property less': ['delete one.b'],
  'the first property less': ['delete one.a'],
  'a number that is a text now': ["one.a = '1'"],
  'zero that is negative now': ['one.zero = -0'],
  'nothing that is undefined now': ['one.nothing = undefined'],
  'true that is false now': ['one.yes = false'],
  'a text': ["one.b = 'other'"],
  'another object in the same place': ['one.other = { of: 1 }'],
  'the same object in another place': ['list.push(one)'],
  'a shorter array': ['list.length = 1'],
  'a hole': ['delete list[0]'],
  'a named property of an array': ["list.named = 'here'"],
  'an entry of a Map': ["map.set('b', one)"],
  'an empty Map': ['map.clear()'],
  'an item of a Set': ['set.add(3)'],
  'a byte': ['bytes[1] = 9'],
  'a property of an error': ['error.more = 2'],
  'a Date': ['date.setTime(5)', true],
  'a RegExp': ['pattern.lastIndex = 1', true],
  'an object that is of a class now': ['Object.setPrototypeOf(one, (class Game {}).prototype)', true],
  'a property of application': ['application.more = [one]'],
  'a property of application less': ['delete application.spare'],
  'what the build had, changed': ['application.same.of = 2', true],
  'a property of a client': ['me.mood = one'],
  'what the server says of a client, hidden': ["me.ip = 'hidden'"],
  'what a client may read': ["me.readAccess = '/a'"],
  'a client less': ['client 2 leaves'],
};

describe('one change since a script has given everything', () => {
  for (const [name, [code, isAnew]] of Object.entries(CHANGES)) {
    test(name, async () => {
      const script = `${SCRIPT}
Client.prototype.fill = () => {
  const one = { a: 1, zero: 0, nothing: null, yes: true, b: 'text' };
  application.spare = 1;
  application.nodes = [one, [1, one, one], new Map([['a', 1]]), new Set([1, 2]), new Uint8Array([1, 2]), new Error('no'), new Date(1), /a/g, 'much '.repeat(500)];
};
Client.prototype.change = function () {
  const me = this;
  const [one, list, map, set, bytes, error, date, pattern] = application.nodes;
  ${code === 'client 2 leaves' ? '' : code};
};`;
      const [old, next] = await Promise.all([Script.start(script), Script.start(script)]);
      for (const client of CLIENTS) await old.connect(client);
      await old.call(1, 'fill');
      const given = await giveAll(old, next);
      if (code === 'client 2 leaves') await old.turn({ kind: 'disconnect', client: 2 });
      else await old.call(1, 'change');
      const last = await old.save(true);
      if (isAnew) expect(last.length).toBeGreaterThan(given / 2);
      else expect(last.length).toBeLessThan(given / 3);
      await next.restore(last, true);
      if (!name.includes('class')) await expectSame(next, old);
    });
  }
});

test('megabytes of bytes take a moment, and no more memory than a few times as much', async () => {
  const script = `${SCRIPT}
Client.prototype.fill = () => { application.p0 = new Uint8Array(4_000_001).fill(200); application.p0[4_000_000] = 1; };
Client.prototype.look = () => [application.p0.length, application.p0[3_999_999], application.p0[4_000_000]];`;
  const [old, next] = await Promise.all([Script.start(script), Script.start(script)]);
  await old.connect(1);
  await old.call(1, 'fill');
  await giveAll(old, next);
  await next.restore(await old.save(true), true);
  expect(await next.call(1, 'look')).toEqual([4_000_001, 200, 1]);
}, 60_000);

test('accessors are not run', async () => {
  const script = `${SCRIPT}
Client.prototype.fill = () => { application.p0 = { a: 1, get b() { application.p1 = 'has run'; return 1; } }; };`;
  const [old, next] = await Promise.all([Script.start(script), Script.start(SCRIPT)]);
  for (const client of CLIENTS) await old.connect(client);
  await old.call(1, 'fill');
  await giveAll(old, next);
  await next.restore(await old.save(true), true);
  const told = (await next.call(1, 'tell')) as string;
  expect(told).toContain('p0:[object Object]{a:1}');
  expect(told).not.toContain('has run');
});

test('an array that has no items is not empty when it has a named property', async () => {
  const script = `application.onReattach = () => true; application.list = [];
Client.prototype.fill = () => { application.list.named = 'here'; };
Client.prototype.look = () => application.list.named;`;
  const [old, next] = await Promise.all([Script.start(script), Script.start(script)]);
  await old.connect(1);
  await old.call(1, 'fill');
  await giveAll(old, next);
  await next.restore(await old.save(true), true);
  expect(await next.call(1, 'look')).toBe('here');
});

test('the last instalment has what changed, and no more', async () => {
  const [old, next] = await Promise.all([startWithClients(), Script.start(SCRIPT)]);
  await old.call(1, 'mutate', 7, 1500);
  const given = await giveAll(old, next);
  await old.call(2, 'mutate', 8, 3);
  const last = await old.save(true);
  expect(given).toBeGreaterThan(20_000);
  expect(last.length).toBeLessThan(given / 10);
  await next.restore(last, true);
  await expectSame(next, old);
});

test('a script that has had instalments may be given all of it anew', async () => {
  const [old, next] = await Promise.all([startWithClients(), Script.start(SCRIPT)]);
  await old.call(1, 'mutate', 3, 100);
  const { text } = await old.draft(true);
  await next.restore(text, false);
  await old.call(1, 'mutate', 4, 30);
  const all = await old.save(false);
  await next.restore(all, true);
  await expectSame(next, old);
});

test('instalments that are of no use are let go of', async () => {
  const old = await startWithClients();
  await old.draft(true);
  expect(await old.turn({ kind: 'undraft' })).toEqual([]);
  await expect(old.draft(false)).rejects.toThrow('no draft');
  const next = await Script.start(SCRIPT);
  await next.restore(await old.save(true), true);
  await expectSame(next, old);
});

test('what goes on from instalments that did not come is refused', async () => {
  const [old, next] = await Promise.all([startWithClients(), Script.start(SCRIPT)]);
  await old.draft(true);
  const last = await old.save(true);
  await expect(next.restore(last, true)).rejects.toThrow('the instalments before this one did not come');
});
