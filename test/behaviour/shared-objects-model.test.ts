import { expect, test } from 'vitest';
import type { AmfValue } from '../../wire/values.ts';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { limitFileSize, useServer } from '../support/server.ts';
import { type Change, RemoteSharedObject } from '../support/shared-object.ts';

const actor = (isPersistent: boolean) => `
  var so = SharedObject.get('board', ${isPersistent});
  Client.prototype.act = function (round, what, name, value) {
    switch (what) {
      case 0: so.lock(); so.setProperty(name, value); so.setProperty('both', [round, name]); so.unlock(); break;
      case 1: so.setProperty(name, null); break;
      case 2: so.send('say', round, 'the script'); break;
      case 3: so.setProperty('count', (so.getProperty('count') || 0) + 1); break;
      case 4: so.setProperty(name, value, { until: this }); break; // of classic scripts it just stays
      default: so.setProperty(name, value);
    }
  };
  Client.prototype.slots = function () {
    return (so.getPropertyNames() || []).map((name) => [name, so.getProperty(name)]).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  };`;

/** Refuses some of what clients do, exchanges some, and writes itself meanwhile. */
const guard = `
  let clears = 0;
  so.authorize = ({ code, name, value, oldValue }) => {
    if (code === 'clear') return ++clears % 2 === 0;
    if (code === 'send') return value[0] % 3 === 0 ? { value: [...value, 'again'] } : value[0] % 3 === 1;
    switch (name) {
      case 's1': return false;
      case 's2': return { value: [value, oldValue?.[0]] };
      case 's3': return { value: 'always' };
      case 's4': return { value: null };
      case 's5': so.setProperty('s6', [code, value]); return true;
      case 's7': so.transaction(() => { so.data.count = so.size(); so.data.s7 = 'mine'; }); return code === 'change';
      default: return true;
    }
  };
  export {};`;

const server = useServer({
  apps: {
    open: { 'README.md': 'No script here.' },
    scripted: { 'main.js': actor(false) },
    guarded: { 'main.js': `${actor(false)}${guard}` },
    storedOpen: { 'README.md': 'No script here.' },
    storedScripted: { 'main.js': actor(true) },
    storedGuarded: { 'main.js': `${actor(true)}${guard}` },
  },
});

const PEOPLE = 8;
const ROUNDS = 1500;
const SLOTS = 12;

/** The same numbers for the same seed (a linear congruential generator). */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

class Person {
  readonly index: number;
  object!: RemoteSharedObject;
  /** Whether it was there from the beginning to the end. */
  isFaithful = true;

  constructor(index: number) {
    this.index = index;
  }

  /** With what it has kept, or with nothing. */
  async come(at: string, kept?: RemoteSharedObject): Promise<void> {
    const encoding = this.index % 2 === 0 ? 0 : 3;
    const client = await connect(`${server.rtmp}/${at}`, { objectEncoding: encoding });
    const isPersistent = at.startsWith('stored');
    this.object = new RemoteSharedObject(client, 'board', { encoding, isPersistent });
    if (isPersistent && kept) {
      for (const [name, value] of kept.data) this.object.data.set(name, value);
      this.object.version = kept.version;
    }
    await this.object.connect();
  }
}

const cases = [1, 20_261_126, 4_000_000_007].flatMap((seed) => [
  { app: 'open', seed },
  { app: 'scripted', seed },
  { app: 'guarded', seed },
  { app: 'storedOpen', seed },
  { app: 'storedScripted', seed },
  { app: 'storedGuarded', seed },
]);
test.each(cases)('whatever $seed makes eight people do in $app, all see the same', async ({ app, seed }) => {
  const pick = numbersFrom(seed);
  const room = `${app}/model-${seed}`;
  const people = Array.from({ length: PEOPLE }, (_, index) => new Person(index));
  // The first stays: without anybody the object would be gone.
  for (const person of people) await person.come(room);

  const isScripted = !app.toLowerCase().includes('open');
  for (let round = 0; round < ROUNDS; round++) {
    if (app.startsWith('stored') && pick(300) === 0) await unloadAndReturn(people, room, round);
    if (app === 'storedGuarded' && pick(150) === 0)
      limitFileSize(server.pid, pick(2) === 0 ? 4096 : 'unlimited');
    const person = people[pick(PEOPLE)]!;
    if (person.index > 1 && pick(100) === 0) {
      person.isFaithful = false;
      await leaveAndReturn(person, room, pick);
    } else if (pick(200) === 0) person.object.change('clear');
    else if (isScripted && pick(5) === 0)
      person.object.client.send('act', round, pick(6), `s${pick(SLOTS)}`, someValue(pick, round));
    else person.object.change(...Array.from({ length: 1 + pick(3) }, () => someChange(pick, round)));
    // Now and then the server has a moment for itself, so that rounds of its event loop fall anywhere.
    if (pick(20) === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  limitFileSize(server.pid, 'unlimited');
  // The disk did fail.
  if (app === 'storedGuarded') await server.waitForLog((r) => r.code === 'E_DATA' && r.instance === room);
  // Whoever has an answer to this has been heard. Before that a clear of one could come after the end of another.
  await Promise.all(people.map(({ index, object }) => object.setAndWait(`fence${index}`, ROUNDS)));
  for (const { index, object } of people) object.set(`end${index}`, index);
  for (const { object } of people)
    await eventually('all ends', () => people.every(({ index }) => object.data.get(`end${index}`) === index));

  if (isScripted) {
    // By the time of this call the script has done all that it was asked for; what it did may be on its way.
    const slots = JSON.stringify(await people[0]!.object.client.call('slots'));
    for (const { object } of people)
      await eventually('the copy of the script', () => JSON.stringify(sorted(object)) === slots);
  }
  const late = new Person(PEOPLE);
  await late.come(room);
  const expected = sorted(late.object);
  for (const { object } of people) {
    expect(sorted(object)).toEqual(expected);
    expect(object.version).toBe(late.object.version);
    const versions = object.syncs.entries.map(({ version }) => version);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
  }
  // Whoever was there all the time has heard the same messages in the same order, its own among them.
  const heard = people.filter(({ isFaithful }) => isFaithful).map(({ object }) => messagesOf(object));
  expect(heard.length).toBeGreaterThanOrEqual(2);
  expect(heard[0]!.length).toBeGreaterThan(app.startsWith('stored') ? 0 : 100);
  for (const each of heard) expect(each).toEqual(heard[0]);
});

async function leaveAndReturn(person: Person, room: string, pick: (below: number) => number): Promise<void> {
  const { object } = person;
  // What it keeps must be what the server has told it, and not what it would have liked to write.
  const isSettled = pick(2) === 0;
  if (isSettled) await object.setAndWait(`fence${person.index}`, pick(1_000_000));
  if (pick(2) === 0) object.release();
  else object.client.destroy();
  await person.come(room, isSettled ? object : undefined);
}

/** The instance goes, and all come back with what they have kept. */
async function unloadAndReturn(people: readonly Person[], room: string, fence: number): Promise<void> {
  await Promise.all(people.map(({ index, object }) => object.setAndWait(`fence${index}`, fence)));
  const answer = await fetch(`${server.http}/api/instances/${room}`, { method: 'DELETE' });
  expect(answer.status).toBe(200);
  for (const person of people) {
    await person.object.client.closed;
    await person.come(room, person.object);
  }
}

function someChange(pick: (below: number) => number, round: number): Change {
  const name = `s${pick(SLOTS)}`;
  switch (pick(6)) {
    case 0:
      return { remove: name };
    case 1:
      return { send: ['say', round, someValue(pick, round)] };
    default:
      return { set: { [name]: someValue(pick, round) } };
  }
}

function someValue(pick: (below: number) => number, round: number): AmfValue {
  switch (pick(6)) {
    case 0:
      return round;
    case 1:
      return `text ${round} ${'ü'.repeat(pick(40))}`;
    case 2:
      return null;
    case 3: {
      const shared = { round };
      return [shared, { again: shared }, shared];
    }
    case 4:
      return { nested: { list: [round, 'x', true, null], when: new Date(round * 1000) } };
    default:
      return pick(2) === 0;
  }
}

function sorted({ data }: RemoteSharedObject): [string, AmfValue][] {
  return [...data].sort(([a], [b]) => (a < b ? -1 : 1));
}

function messagesOf({ syncs }: RemoteSharedObject): string[] {
  return syncs.entries.flatMap(({ sends }) => sends.map((args) => JSON.stringify(args)));
}
