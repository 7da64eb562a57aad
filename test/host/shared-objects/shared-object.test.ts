import { expect, test } from 'vitest';
import { SharedObject, type SharedObjectHost } from '../../../host/shared-objects/shared-object.ts';
import type { Subscriber } from '../../../host/shared-objects/subscription.ts';
import type { SharedChange } from '../../../runtime/wall/sharing.ts';
import {
  decodeSharedObject,
  type SharedObjectEvent,
  SharedObjectEventType as Type,
} from '../../../wire/shared-object.ts';
import { sharedValueOf } from '../../../wire/shared-values.ts';

function subscriber(): Subscriber & { messages: number } {
  return {
    messages: 0,
    client: 1,
    objectEncoding: 0,
    format: 'rtmp 0',
    queuedBytes: 0,
    serialize: ({ payload }) => Buffer.from(payload),
    deliver() {
      this.messages++;
    },
    mayRead: () => true,
    mayWrite: () => true,
  };
}

const newHost = (): SharedObjectHost => ({
  limits: {
    slots: 10,
    slotBytes: 1000,
    sharedObjectBytes: 100_000,
    appSharedObjectBytes: 100_000,
    sharedObjectQueueBytes: 16_384,
    persistentBytes: 0,
    lockTimeoutMs: 0,
  },
  usage: { bytes: 0 },
  appUsage: { bytes: 0 },
  changed() {},
  settled() {},
  failed() {},
  refused() {},
});

test('of many that ask in one round some are told at once, and the others a moment later', () => {
  const object = new SharedObject('chat', newHost());
  const all = Array.from({ length: 40 }, subscriber);
  for (const each of all) object.subscribe(each, 0);
  expect(object.flush()).toEqual({ told: 16, isBehind: true });
  expect(object.catchUp({ bytes: 100_000 })).toBe(false);
  expect(all.map(({ messages }) => messages)).toEqual(Array(40).fill(1));

  // Asking and releasing again and again costs as little.
  const restless = subscriber();
  for (let i = 0; i < 1000; i++) {
    object.subscribe(restless, 0);
    object.unsubscribe(restless);
  }
  object.subscribe(restless, 0);
  expect(object.flush()).toEqual({ told: 40, isBehind: true });
  object.catchUp({ bytes: 100_000 });
  expect(restless.messages).toBe(1);
});

test('who clears without being allowed to, or when too much waits, is told what there is', () => {
  const object = new SharedObject('chat', newHost());
  const heard: SharedObjectEvent[][] = [];
  const writer = subscriber();
  const reader: Subscriber = {
    ...subscriber(),
    format: 'rtmp 0, of its own',
    serialize({ payload }) {
      heard.push([...decodeSharedObject(19, payload).events]);
      return Buffer.from(payload);
    },
    deliver() {},
    mayWrite: () => false,
  };
  for (const each of [writer, reader]) object.subscribe(each, 0);
  const set = { type: Type.RequestChange, key: 'topic', value: sharedValueOf('x', 0) } as const;
  object.request(writer, 1, [set]);
  object.flush();
  object.request(reader, 2, [{ type: Type.RequestClear }]);
  object.flush();
  const whole = [{ type: Type.Clear }, { ...set, type: Type.Change }];
  expect(heard.at(-1)).toEqual([expect.objectContaining({ type: Type.Status }), ...whole]);

  const observer = { isBusy: true, isInCharge: true, changed() {}, unlock() {}, ask: () => true };
  object.observe(observer);
  const send = { type: Type.Send, values: [sharedValueOf('x', 0)] } as const;
  for (let i = 0; i < 4096; i++) object.request(writer, 2, [send]);
  object.request(reader, 2, [{ type: Type.RequestClear }]);
  object.flush();
  expect(heard.at(-1)).toEqual(whole);
  observer.isBusy = false;
  object.settle();
});

test('no message has more events than a server that shares the object of another reads', () => {
  const host = newHost();
  const limits = { ...host.limits, slots: 20_000, sharedObjectBytes: 1e7, appSharedObjectBytes: 1e7 };
  const object = new SharedObject('chat', { ...host, limits });
  const told = new Map<string, Set<string>>();
  const listener = (format: string): Subscriber => {
    const known = new Set<string>();
    told.set(format, known);
    return {
      ...subscriber(),
      format,
      serialize({ payload }) {
        for (const event of decodeSharedObject(19, payload).events)
          if (event.type === Type.Change) known.add(event.key);
          else if (event.type === Type.Remove) known.delete(event.key);
        return Buffer.from(payload);
      },
    };
  };
  const names = Array.from({ length: 10_000 }, (_, n) => `slot ${n}`);
  const value = sharedValueOf(1, 0).bytes;
  const change = (changes: SharedChange[]) => {
    expect(object.change(changes)).toBeUndefined();
    for (let isBehind = object.flush().isBehind; isBehind; ) isBehind = object.catchUp({ bytes: 1e7 });
  };

  object.subscribe(listener('first'), 0);
  change(names.map((name) => ({ op: 'set', name, value })));
  object.subscribe(listener('late'), 0);
  change([]);
  expect([...told.values()].map((known) => known.size)).toEqual([10_000, 10_000]);
  change(names.map((name) => ({ op: 'remove', name })));
  expect([...told.values()].map((known) => known.size)).toEqual([0, 0]);
});

test('who does not read when it asks for the object is answered later, as one who has asked', () => {
  const object = new SharedObject('chat', newHost());
  const heard: number[] = [];
  const slow = {
    ...subscriber(),
    queuedBytes: 100_000,
    serialize({ payload }: { payload: Uint8Array }) {
      heard.push(...decodeSharedObject(19, payload).events.map(({ type }) => type as number));
      return Buffer.from(payload);
    },
  };
  object.subscribe(slow, 0);
  expect(object.flush().isBehind).toBe(true);
  slow.queuedBytes = 0;
  heard.length = 0;
  expect(object.catchUp({ bytes: 100_000 })).toBe(false);
  expect(heard).toEqual([Type.UseSuccess, Type.Clear]);
});
