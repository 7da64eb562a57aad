import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ATTACKS, ENDS, parseScript, readScripts } from './catalogue.ts';
import { PARTS, scriptsOf } from './suite.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const scripts = readScripts();

test('there are at least 60 scripts, and each file of the folder is one', () => {
  const files = readdirSync(`${here}scripts`);
  expect(scripts.length).toBe(files.length);
  expect(scripts.length).toBeGreaterThanOrEqual(60);
});

test('every script is run by exactly one test file', () => {
  const parts = Array.from({ length: PARTS }, (_, part) => part);
  const files = readdirSync(here).filter((file) => /^part-\d+\.test\.ts$/.test(file));
  expect(files.sort()).toEqual(parts.map((part) => `part-${part}.test.ts`));
  const names = parts.flatMap(scriptsOf).map(({ name }) => name);
  expect(names.sort()).toEqual(scripts.map(({ name }) => name).sort());
});

test('every way to set a script off is used, and every end but those that need a flood of clients', () => {
  expect(new Set(scripts.map(({ attack }) => attack))).toEqual(new Set(ATTACKS));
  expect(new Set(scripts.flatMap(({ ends }) => ends))).toEqual(new Set(ENDS));
});

test('no two scripts try the same', () => {
  const sentences = scripts.map(({ tries }) => tries);
  expect(sentences.filter((each, index) => sentences.indexOf(each) !== index)).toEqual([]);
});

const headers = [
  { wrong: 'no header', text: 'for (;;) {}', says: '// Tries: ...' },
  { wrong: 'no attack', text: '// Tries: x\n// Ends: cpu', says: '// Attack: ...' },
  { wrong: 'no ends', text: '// Tries: x\n// Attack: call', says: '// Ends: ...' },
  { wrong: 'an unknown attack', text: '// Tries: x\n// Attack: wait\n// Ends: cpu', says: 'not "wait"' },
  {
    wrong: 'an unknown end',
    text: '// Tries: x\n// Attack: call\n// Ends: cpu | boredom',
    says: 'not "boredom"',
  },
  {
    wrong: 'an unknown line',
    text: '// Tries: x\n// Attack: call\n// Ends: cpu\n// Chek: x',
    says: '// Chek: ...',
  },
];
for (const { wrong, text, says } of headers) {
  test(`a script with ${wrong} stops the tests`, () => {
    expect(() => parseScript('wrong.js', text)).toThrow(says);
  });
}

test('a file that is no script stops the tests', () => {
  expect(() => parseScript('notes.md', '// Tries: x')).toThrow('notes.md');
});
