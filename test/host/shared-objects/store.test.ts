import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../../host/base/log.ts';
import { type SavedState, Store } from '../../../host/shared-objects/store/store.ts';
import { sharedValueOf } from '../../../wire/shared-values.ts';
import { temporaryFolder } from '../../support/server.ts';

const log = createLog({ format: 'json', out: { write: () => true } });

async function opened(folder: string) {
  const counts = { commits: 0, failures: 0 };
  const store = await Store.open(folder, log, {
    committed: () => counts.commits++,
    notCommitted: () => counts.failures++,
  });
  onTestFinished(() => store.close());
  return { store, counts };
}

function state(version: number, slots: Record<string, unknown>): SavedState {
  const list = Object.entries(slots).map(([name, value]) => ({
    name,
    version,
    value: sharedValueOf(value, 0).bytes,
  }));
  return { version, knownSince: 0, bytes: 100, slots: list, forgotten: [], isGone: false };
}

test('what gathers while the disk works is one commit, and what is asked next is answered as after it', async () => {
  const { store, counts } = await opened(temporaryFolder());
  const room = store.of('app', 'room');
  const saves = Array.from({ length: 500 }, (_, n) => room.save(`o${n}`, state(2, { n })));
  const last = await room.load('o499');
  expect(last).toMatchObject({ isStored: true, version: 2, slots: [{ name: 'n', version: 2 }] });
  await Promise.all(saves);
  expect(counts.commits).toBeLessThan(10);
  expect(await room.names()).toHaveLength(500);
  expect(store.usageOf('app')).toEqual({ objects: 0, bytes: 0 }); // those who have the objects keep it
});

test('when its thread dies what was not confirmed is refused, and another thread goes on with what was', async () => {
  const { store, counts } = await opened(temporaryFolder());
  const room = store.of('app', 'room');
  const thread = threadThat(() => room.save('kept', state(2, { a: 1 })));
  await room.load('kept');
  // So many that it is far from done when it dies.
  const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`s${n}`, n]));
  const lost = room.save('lost', state(2, many));
  const died = once(thread, 'exit');
  void thread.terminate();
  await expect(lost).rejects.toThrow('their thread is gone');
  await died;
  expect(counts.failures).toBe(1);
  const next = await room.load('kept');
  expect(next).toMatchObject({ isStored: true, slots: [{ name: 'a', version: 2 }] });
  // Somebody may have been told of a version that went with the thread.
  expect(next.version).toBeGreaterThan(1000);
  expect(next.knownSince).toBe(next.version);
  expect(await room.load('lost')).toMatchObject({ isStored: false });
  await room.save('lost', state(next.version, { a: 1 }));
  expect(await room.names()).toEqual(['kept', 'lost']);
});

/** The thread that is sent something meanwhile. */
function threadThat(work: () => unknown): Worker {
  const post = Worker.prototype.postMessage;
  let thread: Worker | undefined;
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<typeof post>) {
    thread = this;
    post.apply(this, args);
  };
  try {
    work();
  } finally {
    Worker.prototype.postMessage = post;
  }
  if (!thread) throw new Error('no thread was sent anything');
  return thread;
}
