import { expect, test } from 'vitest';
import { type Owner, ProxiedObject } from '../../../host/shared-objects/proxied-object.ts';
import { SharedObject } from '../../../host/shared-objects/shared-object.ts';
import type { News, Observer, Subscriber } from '../../../host/shared-objects/subscription.ts';
import type { SharedChange } from '../../../runtime/wall/sharing.ts';
import {
  decodeSharedObject,
  encodeSharedObject,
  type SharedObjectEvent,
  type SharedObjectMessage,
  SharedObjectEventType as Type,
} from '../../../wire/shared-object.ts';
import { readSharedValue, sharedValueOf } from '../../../wire/shared-values.ts';

const limits = {
  slots: 50,
  slotBytes: 1000,
  sharedObjectBytes: 100_000,
  appSharedObjectBytes: 100_000,
  sharedObjectQueueBytes: 16_384,
  persistentBytes: 0,
  lockTimeoutMs: 0,
};
const newHost = () => ({
  limits,
  usage: { bytes: 0 },
  appUsage: { bytes: 0 },
  changed() {},
  settled() {},
  failed() {},
  refused() {},
});

type Either = SharedObject | ProxiedObject;

/** A queue of messages in one direction, and what takes them. */
class Pipe {
  readonly #waiting: SharedObjectMessage[] = [];
  readonly #take: (message: SharedObjectMessage) => void;

  constructor(take: (message: SharedObjectMessage) => void) {
    this.#take = take;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Through its bytes, as over a connection. */
  put(message: SharedObjectMessage): void {
    this.#waiting.push(decodeSharedObject(19, encodeSharedObject(19, message)));
  }

  step(): void {
    const message = this.#waiting.shift();
    if (message) this.#take(message);
  }
}

let formats = 0;
/** A subscriber of that object whose messages wait in two pipes. */
class Line implements Subscriber {
  readonly client = ++formats;
  readonly objectEncoding = 0;
  readonly format = `line ${this.client}`;
  queuedBytes = 0;
  isWriter = true;
  isCut = false;
  readonly up: Pipe;
  readonly down: Pipe;
  readonly to: Either;

  constructor(to: Either, take: (message: SharedObjectMessage) => void) {
    this.to = to;
    this.up = new Pipe((message) => this.#arrive(message));
    this.down = new Pipe(take);
  }

  #arrive({ version, events, isProxy }: SharedObjectMessage): void {
    let requests: SharedObjectEvent[] = [];
    for (const event of events) {
      if (event.type === Type.Use) this.to.subscribe(this, version, isProxy);
      else if (event.type === Type.Release) this.to.unsubscribe(this);
      else requests.push(event);
    }
    if (requests.length > 0 && this.to.has(this)) this.to.request(this, version, requests);
    requests = [];
  }

  serialize({ payload }: { payload: Uint8Array }): Buffer {
    const all = Buffer.alloc(4 + payload.length);
    all.writeUInt32BE(payload.length);
    all.set(payload, 4);
    return all;
  }

  deliver(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const size = bytes.readUInt32BE(at);
      if (!this.isCut) this.down.put(decodeSharedObject(19, bytes.subarray(at + 4, at + 4 + size)));
      at += 4 + size;
    }
  }

  mayRead(): boolean {
    return true;
  }

  mayWrite(): boolean {
    return this.isWriter;
  }
}

/** As players are: what it writes it has at once. */
class Player {
  readonly data = new Map<string, unknown>();
  readonly line: Line;
  version = 0;

  constructor(to: Either) {
    this.line = new Line(to, (message) => this.#take(message));
    this.say([{ type: Type.Use }]);
  }

  say(events: readonly SharedObjectEvent[]): void {
    this.line.up.put({ name: 'a', isPersistent: false, version: this.version, events });
  }

  set(key: string, value: unknown): void {
    this.data.set(key, value);
    this.say([{ type: Type.RequestChange, key, value: sharedValueOf(value, 0) }]);
  }

  #take({ version, events }: SharedObjectMessage): void {
    this.version = version;
    for (const event of events) {
      if (event.type === Type.Clear) this.data.clear();
      else if (event.type === Type.Change) this.data.set(event.key, readSharedValue(event.value));
      else if (event.type === Type.Remove) this.data.delete(event.key);
      else if (event.type === Type.AcceptedChange || event.type === Type.SlotVersion)
        throw new Error('that is for servers');
    }
  }
}

/** A proxy's connection to its owner. */
class Uplink implements Owner {
  readonly line: Line;
  readonly queuedBytes = 0;

  constructor(proxy: ProxiedObject, to: Either) {
    this.line = new Line(to, (message) => proxy.receive(this, message));
    proxy.attach(this);
    proxy.open(this);
  }

  send(message: SharedObjectMessage): void {
    if (!this.line.isCut) this.line.up.put(message);
  }

  left(): void {}
}

/** As the runtime's copy of a proxy is: it has what was said. */
class Script implements Observer {
  readonly isBusy = false;
  readonly isInCharge = true;
  readonly data = new Map<string, unknown>();
  readonly heard: News[] = [];

  changed(news: News): void {
    this.heard.push(news);
    for (const change of news.changes) {
      if (change.op === 'set')
        this.data.set(
          change.name,
          readSharedValue({ bytes: change.value, hasReferences: false, hasAmf3: false }),
        );
      else if (change.op === 'remove') this.data.delete(change.name);
      else if (change.op === 'clear') this.data.clear();
    }
  }

  ask(): boolean {
    return true;
  }

  unlock(): void {}

  get list(): string[] {
    return this.heard.flatMap(({ list }) => list.map(({ code, name }) => `${code} ${name}`));
  }

  /** How many of its own changes were answered. */
  get answers(): number {
    return this.list.filter((entry) => /^(success|reject)/.test(entry)).length;
  }
}

function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const shown = (data: Iterable<[string, unknown]>) =>
  JSON.stringify([...data].sort(([a], [b]) => (a < b ? -1 : 1)));
const slotsOf = (object: Either) =>
  shown([...object.slots].map(([key, { value }]): [string, unknown] => [key, readSharedValue(value)]));

const ROUNDS = 600;

test.each([
  { name: 'a star', parents: [0, 0, 0] },
  { name: 'a chain', parents: [0, 1, 2] },
])('$name: whatever is written, lost, late or cut, all have the same in the end', ({ parents }) => {
  for (let seed = 1; seed <= 40; seed++) {
    const pick = numbersFrom(seed * 7919);
    const owner = new SharedObject('a', newHost());
    const guard = new Script();
    const proxies = parents.map(() => new ProxiedObject('a', false, newHost()));
    const objects: Either[] = [owner, ...proxies];
    const scripts = proxies.map((proxy) => {
      const script = new Script();
      proxy.observe(script);
      return script;
    });
    const asked = proxies.map(() => 0);
    const links = proxies.map((proxy, index) => new Uplink(proxy, objects[parents[index]!]!));
    const players = objects.flatMap((object) => [new Player(object), new Player(object), new Player(object)]);
    const lines = () => [...players.map(({ line }) => line), ...links.map(({ line }) => line)];
    const turn = () => {
      const line = lines()[pick(lines().length)]!;
      if (pick(2) === 0) line.up.step();
      else line.down.step();
      if (pick(3) === 0) for (const object of objects) object.flush();
      if (pick(5) === 0) for (const object of objects) object.catchUp({ bytes: 10_000 });
    };
    const cut = (index: number) => {
      const link = links[index]!;
      link.line.isCut = true;
      link.line.to.unsubscribe(link.line);
      proxies[index]!.detach(link);
      while (link.line.down.size > 0) link.line.down.step();
    };
    const heal = (index: number) => {
      if (links[index]!.line.isCut) links[index] = new Uplink(proxies[index]!, objects[parents[index]!]!);
    };
    for (let round = 0; round < ROUNDS; round++) {
      const key = `s${pick(4)}`;
      const player = players[pick(players.length)]!;
      switch (pick(24)) {
        case 0:
          player.data.delete(key);
          player.say([{ type: Type.RequestRemove, key }]);
          break;
        case 1:
          if (pick(8) > 0) break;
          player.data.clear();
          player.say([{ type: Type.RequestClear }]);
          break;
        case 2: {
          const at = pick(proxies.length);
          const value = sharedValueOf(`script ${round}`, 0).bytes;
          const change: SharedChange =
            pick(3) === 0 ? { op: 'remove', name: key } : { op: 'set', name: key, value };
          asked[at]!++;
          proxies[at]!.change([change], scripts[at]!);
          break;
        }
        case 3: {
          const at = pick(proxies.length);
          if (pick(6) === 0) cut(at);
          else heal(at);
          break;
        }
        case 4: {
          // Somebody reads slowly for a while.
          const line = lines()[pick(lines().length)]!;
          line.queuedBytes = pick(2) * 100_000;
          break;
        }
        case 5:
          lines()[pick(lines().length)]!.isWriter = pick(3) > 0;
          break;
        case 6:
          player.set(key, 'the same');
          break;
        case 7:
          owner.change([{ op: 'set', name: key, value: sharedValueOf(round, 0).bytes }], guard);
          break;
        default:
          if (pick(2) === 0) player.set(key, `${round}`);
          else turn();
      }
      for (let n = pick(6); n > 0; n--) turn();
    }
    links.forEach((_, index) => void heal(index));
    for (const line of lines()) line.queuedBytes = 0;
    for (let idle = 0; idle < 12; idle++) {
      for (const object of objects) object.flush();
      for (const object of objects) object.catchUp({ bytes: 1e9 });
      for (const line of lines())
        while (line.up.size + line.down.size > 0) for (const pipe of [line.up, line.down]) pipe.step();
    }
    const expected = slotsOf(owner);
    expect(
      scripts.map(({ answers }) => answers),
      `answers, seed ${seed}`,
    ).toEqual(asked);
    expect(proxies.map(slotsOf), `seed ${seed}`).toEqual(proxies.map(() => expected));
    expect(
      scripts.map(({ data }) => shown(data)),
      `scripts, seed ${seed}`,
    ).toEqual(scripts.map(() => expected));
    expect(
      players.map(({ data }) => shown(data)),
      `players, seed ${seed}`,
    ).toEqual(players.map(() => expected));
  }
});

/** An owner that the test speaks for. */
class Fake implements Owner {
  queuedBytes = 0;
  hasLeft = false;
  readonly said: SharedObjectMessage[] = [];
  readonly #proxy: ProxiedObject;
  readonly #isExact: boolean;

  constructor(proxy: ProxiedObject, isExact = true) {
    this.#proxy = proxy;
    this.#isExact = isExact;
    proxy.attach(this);
    proxy.open(this);
  }

  send(message: SharedObjectMessage): void {
    this.said.push(message);
  }

  left(): void {
    this.hasLeft = true;
  }

  says(version: number, ...events: SharedObjectEvent[]): void {
    const isProxy = this.#isExact;
    this.#proxy.receive(this, { name: 'a', isPersistent: false, isProxy, version, events });
  }

  /** What it has been asked for since the last time. */
  take(): string[] {
    const names = ['', 'use', 'release', 'set', '', '', 'send', 'status', '', '', 'remove'];
    const events = this.said.splice(0).flatMap((message) => message.events);
    return events.map((event) => {
      const name = names[event.type as number] ?? String(event.type);
      return 'key' in event ? `${name} ${event.key}` : name;
    });
  }
}

const change = (key: string, value: unknown) =>
  ({ type: Type.Change, key, value: sharedValueOf(value, 0) }) as const;
const whole = [{ type: Type.UseSuccess }, { type: Type.Clear }] as const;

/** A proxy with one player and one script. */
function scene(isExact = true) {
  const host = newHost();
  const proxy = new ProxiedObject('a', false, host);
  const script = new Script();
  proxy.observe(script);
  const owner = new Fake(proxy, isExact);
  const player = new Player(proxy);
  const settle = () => {
    for (let n = 0; n < 4; n++) {
      while (player.line.up.size > 0) player.line.up.step();
      proxy.flush();
      proxy.catchUp({ bytes: 1e9 });
      while (player.line.down.size > 0) player.line.down.step();
    }
  };
  settle();
  return { host, proxy, script, owner, player, settle };
}

test('the owner is asked once, and players wait until all of it is here', () => {
  const { proxy, script, owner, player, settle } = scene();
  const others = [new Player(proxy), new Player(proxy)];
  for (const { line } of others) line.up.step();
  expect(owner.take()).toEqual(['use', 'status']);
  owner.says(0, ...whole, change('x', 1));
  settle();
  expect([player.version, [...script.data]]).toEqual([0, [['x', 1]]]);
  expect(script.heard.at(-1)).toMatchObject({ isWhole: false });
  owner.says(7, change('y', 2));
  settle();
  for (const { line } of others) line.down.step();
  for (const { data } of [player, ...others])
    expect([...data]).toEqual([
      ['x', 1],
      ['y', 2],
    ]);
  expect(script.heard.at(-1)).toMatchObject({ isWhole: true, version: 7 });
  expect(owner.take()).toEqual([]);
});

test('what a script writes before the content is here waits for it; without an owner it is refused', () => {
  const { proxy, script, owner, settle } = scene();
  const set = [{ op: 'set', name: 'x', value: sharedValueOf(1, 0).bytes }] as const;
  owner.take();
  proxy.change(set, script);
  expect(owner.take()).toEqual([]);
  owner.says(1, ...whole);
  expect(owner.take()).toEqual(['set x']);
  proxy.detach(owner);
  settle();
  expect(script.list).toEqual(['reject x']);
  proxy.change(set, script);
  expect(script.list).toEqual(['reject x', 'reject x']);
  expect(script.heard.at(-1)?.status?.code).toBe('SharedObject.NoWriteAccess');
});

test('an owner that answers like to a player: the value of success is what was asked for', () => {
  const { owner, player, script, settle } = scene(false);
  owner.says(0, ...whole);
  owner.take();
  player.set('x', 'one');
  player.set('x', 'two');
  settle();
  expect(owner.take()).toEqual(['set x', 'set x']);
  owner.says(1, { type: Type.Success, key: 'x' });
  settle();
  expect([...script.data]).toEqual([['x', 'one']]);
  owner.says(2, { type: Type.Success, key: 'x' });
  settle();
  expect([[...script.data], [...player.data]]).toEqual([[['x', 'two']], [['x', 'two']]]);
});

test('such an owner is asked for everything when it says something else meanwhile, and what it has holds', () => {
  const { owner, player, script, proxy, settle } = scene(false);
  owner.says(1, ...whole, change('old', 1));
  owner.take();
  player.set('x', 'mine');
  proxy.change([{ op: 'set', name: 'x', value: sharedValueOf('script', 0).bytes }], script);
  settle();
  owner.says(2, change('x', 'theirs'));
  // Once, whatever comes meanwhile.
  owner.says(3, change('x', 'again'));
  expect(owner.take()).toEqual(['set x', 'set x', 'use', 'status']);
  owner.says(4, { type: Type.Success, key: 'y' }, ...whole, change('x', 'script'));
  settle();
  expect([...player.data]).toEqual([['x', 'script']]);
  expect([...script.data]).toEqual([['x', 'script']]);
  expect(script.list.filter((entry) => !entry.startsWith('change'))).toEqual(['delete old', 'success x']);
  player.set('x', 'later');
  settle();
  owner.says(5, { type: Type.Success, key: 'x' });
  settle();
  expect([[...player.data], [...script.data]]).toEqual([[['x', 'later']], [['x', 'later']]]);
});

test('more than there is room for: the proxy lets go, says why, and keeps what it has', () => {
  const { host, owner, script, player, settle } = scene();
  owner.says(1, ...whole, change('x', 1));
  settle();
  owner.says(2, ...Array.from({ length: 60 }, (_, n) => change(`n${n}`, n)));
  settle();
  expect(script.heard.at(-1)?.status).toEqual({
    code: 'SharedObject.ObjectCreationFailed',
    description: 'The owner\'s "a" has no room here: limits.slots is 50.',
  });
  expect(owner.hasLeft).toBe(true);
  expect(owner.take()).toEqual(['use', 'status', 'release']);
  expect(player.data.size).toBe(50);
  expect(host.usage.bytes).toBeLessThan(100_000);
  owner.says(3, change('late', 1));
  settle();
  expect(player.data.has('late')).toBe(false);
});

test('an owner that never answers is owed no more than so much: what is beyond is refused', () => {
  const { owner, player, settle } = scene();
  owner.says(1, ...whole);
  settle();
  owner.take();
  for (let n = 0; n < 8192 + 5; n++) player.set(`n${n % 40}`, n);
  settle();
  expect(owner.take()).toHaveLength(8192);
  // What was refused is gone at the player, too.
  expect([...player.data.keys()].filter((key) => player.data.get(key) === 8196)).toEqual([]);
  owner.queuedBytes = 10_000_000;
  for (let n = 0; n < 100; n++) player.say([{ type: Type.Send, values: [sharedValueOf('say', 0)] }]);
  settle();
  expect(owner.take()).toEqual([]);
});

test('versions that jump and go back, answers to nothing, events that are for servers: nothing breaks', () => {
  const { owner, player, script, settle } = scene();
  owner.says(0xffff_ffff, ...whole, change('x', 1));
  owner.says(
    3,
    change('x', 2),
    { type: Type.Success, key: 'nothing' },
    { type: Type.SlotVersion, key: 'x', version: 9 },
  );
  owner.says(0, { type: Type.Remove, key: 'nothing' }, { type: Type.UseSuccess }, { type: Type.Use });
  owner.says(
    2,
    { ...change('y', 1), type: Type.AcceptedChange },
    { ...change('z', 1), type: Type.RequestChange },
  );
  owner.says(2, { type: Type.Status, code: 'constructor', level: 'error' }, { type: Type.RequestClear });
  owner.says(2, { type: 'unknown', event: 99, data: new Uint8Array(9) }, { type: Type.Send, values: [] });
  settle();
  expect([...player.data]).toEqual([
    ['x', 2],
    ['y', 1],
  ]);
  expect([...script.data]).toEqual([
    ['x', 2],
    ['y', 1],
  ]);
  player.set('x', 3);
  settle();
  owner.says(4, { ...change('x', 3), type: Type.AcceptedChange });
  settle();
  expect(player.data.get('x')).toBe(3);
});

test('a circle is found by whoever closes it, however the connections come up', () => {
  for (const length of [1, 2, 3, 5]) {
    for (let first = 0; first < length; first++) {
      const proxies = Array.from({ length }, () => new ProxiedObject('a', false, newHost()));
      const scripts = proxies.map((proxy) => {
        const script = new Script();
        proxy.observe(script);
        return script;
      });
      const links = proxies
        .map((_, n) => (n + first) % length)
        .map((at) => new Uplink(proxies[at]!, proxies[(at + 1) % length]!));
      const isBusy = () => links.some(({ line }) => line.up.size + line.down.size > 0);
      for (let n = 0; n < 1000 && isBusy(); n++)
        for (const { line } of links) for (const pipe of [line.up, line.down]) pipe.step();
      expect(isBusy(), `${length}`).toBe(false);
      const problems = scripts.flatMap(({ heard }) =>
        heard.flatMap(({ status }) => (status ? [status] : [])),
      );
      const circle = '"a" would be its own owner: the connections lead in a circle';
      // Those who waited for that one hear that there is nothing.
      const rest = 'The owner of "a" refuses it.';
      const said = problems.map(({ description }) => description);
      expect(said, `${length}`).toContain(circle);
      expect(said.filter((text) => text !== circle && text !== rest)).toEqual([]);
      expect(new Set(problems.map(({ code }) => code))).toEqual(
        new Set(['SharedObject.ObjectCreationFailed']),
      );
    }
  }
});
