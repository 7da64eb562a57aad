import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { offerToOomKiller, residentBytes } from '../scripts/process-stat.ts';

/** What takes long with long scripts: to compile one, or to prepare a classic one and compile it. */
export type ReaderJob = { kind: 'compile'; code: string } | { kind: 'prepare'; text: string; name: string };

/**
 * Code up to this length takes at most 30 ms, whatever is in it: 2000 blocks in one another and names that are looked
 * up through all of them are the worst that is known, and take time with the square of the length.
 */
export const INLINE_LENGTH = 16 * 1024;
const PATIENCE_MS = 20_000;
const MOST_MB = 2048;
const WEIGH_EVERY_MS = 100;
/** Of the processes that read at one time, and how long the last one waits for more. */
const MOST_READERS = 4;
const IDLE_MS = 30_000;

const PROGRAM = fileURLToPath(new URL('./reader-process.ts', import.meta.url));

/** The one that waits for the next job. */
let idle: { reader: ChildProcess; timer: NodeJS.Timeout } | undefined;
const waiting: (() => void)[] = [];
let busy = 0;

/**
 * Does that in a process of its own, which can be killed: nothing interrupts V8 while it compiles, in a thread neither,
 * and a host with such a thread cannot even end. Rejects with why there is no answer.
 */
export async function readElsewhere(job: ReaderJob, patienceMs = PATIENCE_MS): Promise<unknown> {
  if (busy >= MOST_READERS) await new Promise<void>((resolve) => waiting.push(resolve));
  busy++;
  try {
    const reader = takeIdle() ?? startReader();
    const answer = await ask(reader, job, patienceMs);
    keep(reader);
    return answer;
  } finally {
    busy--;
    waiting.shift()?.();
  }
}

function startReader(): ChildProcess {
  const reader = fork(PROGRAM, {
    env: {},
    execArgv: ['--max-old-space-size=1024', '--title=stagewire-reader'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  reader.on('error', () => {}); // its 'exit' or the failure to send tells
  offerToOomKiller(reader.pid ?? 0);
  const kill = () => reader.kill('SIGKILL');
  process.once('exit', kill);
  reader.once('exit', () => {
    process.off('exit', kill);
    if (idle?.reader === reader) takeIdle();
  });
  // None of them keeps the host from ending.
  reader.unref();
  reader.channel?.unref();
  return reader;
}

async function ask(reader: ChildProcess, job: ReaderJob, patienceMs: number): Promise<unknown> {
  let why = 'its reader ended';
  const kill = (reason: string) => {
    why = reason;
    reader.kill('SIGKILL');
  };
  const timer = setTimeout(() => kill(`it takes more than ${patienceMs / 1000} seconds`), patienceMs);
  const scales = setInterval(() => {
    if ((residentBytes(reader.pid ?? 0) ?? 0) > MOST_MB * 1024 * 1024)
      kill(`it takes more than ${MOST_MB} MB`);
  }, WEIGH_EVERY_MS);
  let ended = () => {};
  try {
    return await new Promise((resolve, reject) => {
      ended = () => reject(new Error(why));
      reader.once('message', (message) => resolve((message as { answer?: unknown }).answer));
      reader.once('exit', ended);
      reader.send(job, (error) => error && ended());
    });
  } finally {
    clearTimeout(timer);
    clearInterval(scales);
    reader.removeAllListeners('message').off('exit', ended);
  }
}

/** For the next job, unless there is one already. */
function keep(reader: ChildProcess): void {
  if (idle) {
    reader.kill('SIGKILL');
    return;
  }
  const timer = setTimeout(() => takeIdle()?.kill('SIGKILL'), IDLE_MS).unref();
  idle = { reader, timer };
}

function takeIdle(): ChildProcess | undefined {
  const { reader, timer } = idle ?? {};
  clearTimeout(timer);
  idle = undefined;
  return reader;
}
