import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { MediaFiles, type MediaFilesOptions } from '../../../../host/streams/files/media-files.ts';
import { encodeFlvHeader, encodeFlvTag } from '../../../../wire/flv.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-thread-'));
const workerFile = new URL('../../../../host/streams/files/worker.ts', import.meta.url);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a thread that dies is replaced: what it had open is lost, and the next open works', async () => {
  const files = withWorker('if (request.path?.endsWith("die.flv")) process.exit(1);');
  const [good, die] = ['good.flv', 'die.flv'].map(makeFile);
  const file = await files.open(good!);
  const { position } = await file.seek(0);
  const waiting = file.seek(10).catch((error: unknown) => error);
  await expect(files.open(die!)).rejects.toMatchObject({ kind: 'io' });
  await waiting;
  await expect(file.read(position)).rejects.toMatchObject({ kind: 'io' });
  await expect(file.seek(0)).rejects.toMatchObject({ kind: 'io' });
  const again = await files.open(good!);
  expect((await again.read(position)).messages).toHaveLength(1);
  expect(files.usage.open).toBe(1);
  file.release();
  again.release();
  expect((await files.probe(good!)).durationMs).toBe(0);
});

test('a thread that throws is replaced too', async () => {
  const files = withWorker('if (request.path?.endsWith("throw.flv")) throw new Error("of the test");');
  await expect(files.open(makeFile('throw.flv'))).rejects.toMatchObject({ kind: 'io' });
  expect((await files.probe(makeFile('calm.flv'))).bytes).toBe(13 + 15 + 7);
});

test('a thread that hangs is replaced', async () => {
  const files = withWorker('if (request.path?.endsWith("hang.flv")) for (;;);', {
    deadlineMs: 3000,
    pingMs: 3000,
  });
  const file = await files.open(makeFile('still.flv'));
  await expect(files.open(makeFile('hang.flv'))).rejects.toMatchObject({ kind: 'io' });
  await expect
    .poll(async () => (await files.probe(makeFile('after.flv')).catch(() => undefined))?.bytes, {
      timeout: 20_000,
    })
    .toBe(13 + 15 + 7);
  await expect(file.seek(0)).rejects.toMatchObject({ kind: 'io' });
});

test('a request that takes too long is given up, and the others go on', async () => {
  // It never answers, but it is there.
  const files = withWorker('if (request.path?.endsWith("slow.flv")) return;', { deadlineMs: 3000 });
  const file = await files.open(makeFile('beside.flv'));
  await expect(files.open(makeFile('slow.flv'))).rejects.toMatchObject({
    kind: 'io',
    message: 'it took too long',
  });
  const { position } = await file.seek(0);
  expect((await file.read(position)).messages).toHaveLength(1);
});

test('a server that stops rejects what waits, and whatever comes later', async () => {
  const files = new MediaFiles({ cacheBytes: 1000, maxOpen: 10 });
  const path = makeFile('stop.flv');
  const file = await files.open(path);
  const waiting = file.seek(0).catch((error: unknown) => error);
  await files.close();
  await waiting;
  await expect(file.read(13)).rejects.toMatchObject({ kind: 'io' });
  await expect(files.open(path)).rejects.toMatchObject({ kind: 'io' });
  file.release();
  await files.close();
});

test('what is no file is not waited for', async () => {
  const files = withWorker('');
  for (const path of [folder, '/dev/zero', join(folder, 'nothing', 'at all')]) {
    await expect(files.open(path)).rejects.toMatchObject({ kind: 'not-found' });
  }
});

function makeFile(name: string): string {
  const path = join(folder, name);
  const tag = encodeFlvTag({ type: 8, timestamp: 0, payload: Buffer.from('af011122334455', 'hex') });
  writeFileSync(path, Buffer.concat([encodeFlvHeader({ hasAudio: true, hasVideo: false }), tag]));
  return path;
}

/** The real worker, which gets those requests of which that does not make an end. */
function withWorker(before: string, options: Partial<MediaFilesOptions> = {}): MediaFiles {
  const name = join(folder, `${Math.random()}`);
  mkdirSync(name);
  const text = `
    import { parentPort } from 'node:worker_threads';
    const on = parentPort.on.bind(parentPort);
    parentPort.on = (event, listener) => on(event, (request) => { ${before} listener(request); });
    await import(${JSON.stringify(workerFile.href)});
  `;
  writeFileSync(join(name, 'worker.mjs'), text);
  const worker = pathToFileURL(join(name, 'worker.mjs'));
  const files = new MediaFiles({ cacheBytes: 1_000_000, maxOpen: 10, lingerMs: 0, worker, ...options });
  onTestFinished(() => files.close());
  return files;
}
