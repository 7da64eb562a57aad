import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const running = new Set<ChildProcess>();

process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
}

/** A process that ends with the bench at the latest, whatever ends the bench. */
export function startChild(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Another Node process running one of our files. */
export function startNode(args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return startChild(process.execPath, args, options);
}

/** The first line of standard output that matches. Rejects with what the process said when it ends before. */
export function lineOf(child: ChildProcess, pattern: RegExp, patienceMs = 30_000): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why: string) => reject(new Error(`${child.spawnargs.join(' ')}: ${why}\n${said}`));
    const timer = setTimeout(() => fail(`nothing like ${pattern} within ${patienceMs} ms`), patienceMs);
    timer.unref();
    child.stderr?.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-4000);
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      said = `${said}${line}\n`.slice(-4000);
      const found = pattern.exec(line);
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${signal ?? code}`);
    });
  });
}

/** Asks a process to end and waits for it; by force after `patienceMs`. */
export async function stopChild(child: ChildProcess, patienceMs = 6000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await gone;
  clearTimeout(force);
}

/** Resolves with the exit code. */
export function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve));
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}
