import { readdirSync, readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { INLINE_LENGTH, readElsewhere } from '../../../host/apps/reader.ts';
import { checkSyntax } from '../../../host/apps/syntax.ts';

/** Each name is looked up through all blocks. */
const slow = (lookups: number) => `${'{let a;'.repeat(2000)}${'x;'.repeat(lookups)}${'}'.repeat(2000)}`;
const filler = '// filler\n'.repeat(INLINE_LENGTH / 10 + 1);

test('a script that V8 compiles for minutes is given up, and nothing of it is left', async () => {
  const reading = readElsewhere({ kind: 'compile', code: slow(4_000_000) }, 1000);
  await expect(reading).rejects.toThrow('it takes more than 1 seconds');
  await vi.waitFor(() => expect(readers()).toEqual([]), { timeout: 10_000 });
});

test('a script waits for none that takes long', async () => {
  const late: string[] = [];
  const problem = { kind: 'compile', code: slow(4_000_000) } as const;
  const all = Array.from({ length: 4 }, () =>
    readElsewhere(problem, 12_000).catch((error: Error) => late.push(error.message)),
  );
  expect(await checkSyntax(`${filler}a(;`)).toMatchObject({ message: "Unexpected token ';'" });
  expect(late).toEqual([]);
  await Promise.all(all);
  expect(late).toHaveLength(4);
});

test('many are read at one time, a few in a process each', async () => {
  const codes = Array.from({ length: 9 }, (_, n) => `${filler}${n % 2 === 0 ? 'a();' : 'a(;'}`);
  const problems = await Promise.all(codes.map(checkSyntax));
  expect(problems.map((problem) => problem?.message)).toEqual(
    codes.map((_, n) => (n % 2 === 0 ? undefined : "Unexpected token ';'")),
  );
  await vi.waitFor(() => expect(readers().length).toBeLessThanOrEqual(1), { timeout: 10_000 });
});

/** Those of this process that have not ended. */
function readers(): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [, name, state, parent] =
        /^\d+ \((.*)\) (\w) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return name?.startsWith('stagewire-read') && state !== 'Z' && Number(parent) === process.pid;
    } catch {
      return false; // gone
    }
  });
}
