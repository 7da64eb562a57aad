import { SourceMap } from 'node:module';
import { transform } from 'esbuild';
import { expect, test } from 'vitest';
import { lineOf, lineStarts } from '../../../host/scripts/lines.ts';
import { readMappings } from '../../../host/scripts/source-map.ts';

test("mappings are read as Node's own reader has them, at every position", async () => {
  const source = await import('node:fs/promises').then(({ readFile }) =>
    readFile(new URL('../../../host/apps/builder.ts', import.meta.url), 'utf8'),
  );
  for (const minify of [false, true]) {
    const { code, map } = await transform(source, { loader: 'ts', sourcemap: 'external', minify });
    const payload = JSON.parse(map) as ConstructorParameters<typeof SourceMap>[0];
    const theirs = new SourceMap(payload);
    const ours = readMappings(payload.mappings);
    let found = 0;
    for (const [line, text] of code.split('\n').entries()) {
      for (let column = 0; column <= text.length; column++) {
        const entry = theirs.findEntry(line, column);
        const isThere = 'originalSource' in entry && entry.generatedLine === line;
        expect(ours(line, column), `${line}:${column}`).toEqual(
          isThere ? { source: 0, line: entry.originalLine, column: entry.originalColumn } : undefined,
        );
        if (isThere) found++;
      }
    }
    expect(found).toBeGreaterThan(1000);
    expect(ours(1e6, 0)).toBeUndefined();
  }
});

test('a piece that comes from nowhere, an empty line and what is no mapping have no origin', () => {
  const find = readMappings('A,IAAA,QAAQ;;AACA,!AAAA');
  expect(find(0, 0)).toBeUndefined();
  expect(find(0, 5)).toEqual({ source: 0, line: 0, column: 0 });
  expect(find(0, 12)).toEqual({ source: 0, line: 0, column: 8 });
  expect(find(1, 0)).toBeUndefined();
  expect(find(2, 9)).toEqual({ source: 0, line: 1, column: 8 });
  expect(readMappings('')(0, 0)).toBeUndefined();
});

test('lines end where V8 ends them', () => {
  const text = 'a\nb\r\n\rc\u2028\u2029d\n';
  const starts = lineStarts(text);
  expect([...starts]).toHaveLength(7);
  expect(Array.from({ length: 8 }, (_, index) => lineOf(text, starts, index + 1))).toEqual([
    'a',
    'b',
    '',
    'c',
    '',
    'd',
    '',
    undefined,
  ]);
  expect([...lineStarts('\n'.repeat(1000))]).toHaveLength(1001);
});
