import { expect, test } from 'vitest';
import { Durability, type Owed, type Saver } from '../../../host/shared-objects/durability.ts';
import { type Slot, Slots } from '../../../host/shared-objects/slots.ts';
import type { SavedState } from '../../../host/shared-objects/store/store.ts';
import type { Subscription } from '../../../host/shared-objects/subscription.ts';
import { readSharedValue, sharedValueOf } from '../../../wire/shared-values.ts';

/** The disk in slow motion: a save ends when the test says so, and as it says. */
function desk() {
  const slots = new Slots();
  const stored = { isStored: false, version: 1, knownSince: 1, bytes: 0, slots: [] };
  slots.restore(stored);
  let version = 1;
  const saves: { state: SavedState; end: (error?: Error) => void }[] = [];
  const heard: unknown[] = [];
  const namesOf = (owed: readonly Owed[]) => owed.map(({ key }) => key);
  const saver: Saver = {
    get version() {
      return version;
    },
    save: (state) =>
      new Promise((resolve, reject) => {
        saves.push({ state, end: (error) => (error ? reject(error) : resolve()) });
      }),
    saved: (owed) => heard.push(['saved', namesOf(owed)]),
    failed: (before, owed) => {
      heard.push(['failed', namesOf(owed)]);
      version++;
      for (const [name, slot] of before) {
        if (slot) slots.set(name, { ...slot, version });
        else slots.remove(name, version);
      }
    },
    settled: () => heard.push('settled'),
    lost: () => heard.push('lost'),
  };
  const durability = new Durability(slots, stored, saver);
  const set = (name: string, value: unknown) => {
    const slot: Slot = { value: sharedValueOf(value, 0), version: ++version, writer: 0, toldWriter: version };
    slots.set(name, slot);
    durability.owe({} as Subscription, name);
  };
  const held = () =>
    Object.fromEntries([...slots].map(([name, { value }]) => [name, readSharedValue(value)]));
  return { slots, saves, heard, durability, set, held };
}

const full = new Error('the disk is full');

test('what changes while one commit runs is the next one', async () => {
  const { saves, heard, durability, set } = desk();
  set('a', 1);
  durability.save();
  for (const n of [1, 2, 3]) set('b', n);
  durability.save();
  expect(saves.map(({ state }) => state.slots.map(({ name }) => name))).toEqual([['a']]);
  saves[0]!.end();
  await expect.poll(() => saves.length).toBe(2);
  expect(heard).toEqual([['saved', ['a']]]);
  expect(saves[1]!.state.slots.map(({ name }) => name)).toEqual(['b']);
  saves[1]!.end();
  await expect.poll(() => heard.at(-1)).toBe('settled');
  expect(heard).toEqual([['saved', ['a']], ['saved', ['b', 'b', 'b']], 'settled']);
  expect(durability.isDirty).toBe(false);
});

test('when a commit fails what came after it is taken back too, its writers hear it, and flush says false', async () => {
  const { saves, heard, durability, set, held } = desk();
  set('a', 'old');
  durability.save();
  saves[0]!.end();
  await expect.poll(() => heard.length).toBe(2);
  set('a', 'new');
  durability.save();
  set('a', 'newer');
  set('b', 'mine');
  const flushed = durability.flush();
  saves[1]!.end(full);
  expect(await flushed).toBe(false);
  expect(held()).toEqual({ a: 'old' });
  expect(heard.slice(2)).toEqual([['failed', ['a', 'a', 'b']], 'settled']);

  // It is not tried again by itself: only its versions are not on disk.
  durability.save();
  expect(saves).toHaveLength(2);
  set('c', 1);
  durability.save();
  expect(saves[2]!.state.slots.map(({ name, value }) => [name, value !== null])).toEqual([
    ['a', true],
    ['b', false],
    ['c', true],
  ]);
  saves[2]!.end(full);
  await expect.poll(() => heard.filter((each) => String(each).startsWith('failed')).length).toBe(2);
  expect(held()).toEqual({ a: 'old' });
});

test('it is full while very many are owed', async () => {
  const { saves, durability, set } = desk();
  set('a', 1);
  durability.save();
  for (let i = 0; i < 4095; i++) durability.owe({} as Subscription, 'a');
  expect(durability.isFull).toBe(true);
  saves[0]!.end();
  await expect.poll(() => durability.isFull).toBe(false);
});
