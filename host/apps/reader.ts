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
const MOST_MB = 2048;
const WEIGH_EVERY_MS = 100;
/** How long the last process waits for more. */
const IDLE_MS = 30_000;

/** Work that so many processes do at one time. */
interface Lane {
  readonly most: number;
  busy: number;
  readonly waiting: (() => void)[];
}

/** An ordinary script takes a tenth of a second. It waits for none that takes more than two: those go on elsewhere. */
const quick: Lane = { most: 2, busy: 0, waiting: [] };
const slow: Lane = { most: 2, busy: 0, waiting: [] };
const QUICK_MS = 2000;
const PATIENCE_MS = 20_000;

class Late extends Error {}

const PROGRAM = fileURLToPath(new URL('./reader-process.ts', import.meta.url));

/** The one that waits for the next job. */
let idle: { reader: ChildProcess; timer: NodeJS.Timeout } | undefined;

/**
 * Does that in a process of its own, which can be killed: nothing interrupts V8 while it compiles, in a thread neither,
 * and a host with such a thread cannot even end. What takes long begins anew among its kind. Rejects with why
 * there is no answer.
 */
export async function readElsewhere(job: ReaderJob, patienceMs = PATIENCE_MS): Promise<unknown> {
  try {
    return await readIn(quick, job, Math.min(QUICK_MS, patienceMs));
  } catch (error) {
    if (!(error instanceof Late)) throw error;
    return readIn(slow, job, patienceMs);
  }
}

async function readIn(lane: Lane, job: ReaderJob, patienceMs: number): Promise<unknown> {
  if (lane.busy >= lane.most) await new Promise<void>((resolve) => lane.waiting.push(resolve));
  lane.busy++;
  try {
    const reader = takeIdle() ?? startReader();
    const answer = await ask(reader, job, patienceMs);
    keep(reader);
    return answer;
  } finally {
    lane.busy--;
    lane.waiting.shift()?.();
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
  let why = new Error('its reader ended');
  const kill = (reason: Error) => {
    why = reason;
    reader.kill('SIGKILL');
  };
  const late = new Late(`it takes more than ${patienceMs / 1000} seconds`);
  const timer = setTimeout(() => kill(late), patienceMs);
  const scales = setInterval(() => {
    if ((residentBytes(reader.pid ?? 0) ?? 0) > MOST_MB * 1024 * 1024)
      kill(new Error(`it takes more than ${MOST_MB} MB`));
  }, WEIGH_EVERY_MS);
  let ended = () => {};
  try {
    return await new Promise((resolve, reject) => {
      ended = () => reject(why);
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
