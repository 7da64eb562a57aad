import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { root, scratchFolder } from './server.ts';

const made = new Map<string, string>();

/** Compiles one of our C files into a scratch folder, once, and returns the program's path. Throws without gcc. */
export function compileC(file: string): string {
  const before = made.get(file);
  if (before) return before;
  const program = join(scratchFolder(), basename(file, '.c'));
  const { status, error, stderr } = spawnSync('gcc', ['-O2', '-o', program, join(root, file)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`gcc ${file}: ${error?.message ?? stderr}`);
  made.set(file, program);
  return program;
}

export function hasCompiler(): boolean {
  return spawnSync('gcc', ['--version'], { stdio: 'ignore' }).status === 0;
}
