import { expect, test } from 'vitest';
import { SharedObject } from '../../../host/shared-objects/shared-object.ts';
import type { Subscriber } from '../../../host/shared-objects/subscription.ts';

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

test('of many that ask in one round some are told at once, and the others a moment later', () => {
  const limits = { slots: 10, slotBytes: 1000, sharedObjectBytes: 100_000, sharedObjectQueueBytes: 16_384 };
  const object = new SharedObject('chat', false, { limits, usage: { bytes: 0 }, changed() {} });
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
