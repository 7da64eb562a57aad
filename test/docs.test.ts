import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { defaultLimits } from '../host/base/limits.ts';

const configuration = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');
const declarations = readFileSync(new URL('../runtime/globals.d.ts', import.meta.url), 'utf8');

describe('docs/configuration.md', () => {
  const rows = new Map(
    [...configuration.matchAll(/^\| `(\w+)` \| (\d+)(?: (KiB|MiB|a second))?/gm)].map(
      ([, name, number, unit]) => [
        name,
        Number(number) * (unit === 'KiB' ? 1024 : unit === 'MiB' ? 1024 * 1024 : 1),
      ],
    ),
  );

  for (const [name, value] of Object.entries(defaultLimits)) {
    test(`gives the default of ${name}`, () => expect(rows.get(name)).toBe(value));
  }

  test('names no limit that does not exist', () => {
    expect([...rows.keys()].filter((name) => !Object.hasOwn(defaultLimits, name ?? ''))).toEqual([]);
  });
});

test('globals.d.ts documents what it declares', () => {
  const undocumented = [
    ...declarations.matchAll(/(?<!\*\/)\n(?:declare (?:const|function)|interface) (\w+)/g),
  ]
    .map(([, name]) => name)
    .filter(
      (name) =>
        !/^(Stream|application|console|setTimeout|setInterval|clearTimeout|clearInterval|queueMicrotask|crypto)$/.test(
          name ?? '',
        ),
    );
  expect(undocumented).toEqual([]);
});
