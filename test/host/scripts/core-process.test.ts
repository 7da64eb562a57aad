import { expect, test } from 'vitest';
import { defaultLimits } from '../../../host/base/limits.ts';
import { createLog } from '../../../host/base/log.ts';
import { doneFrame, FrameKind, frame, TurnEnd } from '../../../host/core/frames.ts';
import { CoreProcess } from '../../../host/scripts/core-process.ts';
import { makeSandbox } from '../../../host/scripts/sandbox.ts';
import { SEED_BYTES } from '../../../runtime/wall/boot.ts';
import { eventually } from '../../support/journal.ts';

const done = {
  end: TurnEnd.ok,
  finished: 0,
  running: -1,
  cpuUs: 0,
  answeredUs: 0,
  entryMs: 0,
  message: '',
  stack: '',
  commands: Buffer.alloc(0),
};
const inCode = (bytes: Buffer) => `Buffer.from('${bytes.toString('base64')}', 'base64')`;

/** A core whose heap is no longer its own: it says that the turn is done as soon as the first bytes of it are there, and reads the rest later. */
const forged = `
  import { Socket } from 'node:net';
  const host = new Socket({ fd: 3, readable: true, writable: true });
  host.once('data', () => {
    host.write(${inCode(frame(FrameKind.ready, 0))});
    host.once('data', answer);
    host.resume();
  });
  function answer() {
    host.pause();
    host.write(${inCode(doneFrame(FrameKind.done, 1, done))});
    setTimeout(() => host.on('data', () => {}).resume(), 500);
  }`;

test('what a core has not read when it says that it is done still waits to be written', async () => {
  const log = createLog({ format: 'json', level: 'error' });
  const events = { onExit: () => {}, onEmpty: () => {} };
  const core = new CoreProcess('', makeSandbox('permission', forged), defaultLimits, log, events);
  try {
    await core.ready;
    await eventually('the core to have read what there was', () => core.hasWrittenAll);
    await core.turn(1, 1000, 0, 0, Buffer.alloc(SEED_BYTES), new Uint8Array(4 * 1024 * 1024));
    expect(core.hasWrittenAll).toBe(false);
    await eventually('the core to read the rest', () => core.hasWrittenAll);
  } finally {
    core.kill();
  }
});
