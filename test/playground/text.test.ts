import { describe, expect, test } from 'vitest';
import { highlight } from '../../playground/text/highlight.ts';
import { inspect, literal } from '../../playground/text/inspect.ts';
import { jsonOf, parseArguments, parseValue } from '../../playground/text/json.ts';
import { addressOf, callCode } from '../../playground/text/snippets.ts';

const circle: Record<string, unknown> = { a: 1 };
circle.self = circle;
const shown: { name: string; value: unknown; text: string }[] = [
  { name: 'a text', value: 'it\'s "so"\n', text: "'it\\'s \"so\"\\n'" },
  { name: 'a backslash before a quote', value: '\\"', text: "'\\\\\"'" },
  { name: 'nothing', value: undefined, text: 'undefined' },
  { name: 'no number', value: NaN, text: 'NaN' },
  { name: 'a number below zero that is zero', value: -0, text: '-0' },
  { name: 'a date', value: new Date(0), text: "new Date('1970-01-01T00:00:00.000Z')" },
  { name: 'a date that is none', value: new Date(NaN), text: 'new Date(NaN)' },
  { name: 'bytes', value: new Uint8Array([1, 255]), text: 'Uint8Array(2) [1, 255]' },
  { name: 'a map', value: new Map([['a', NaN]]), text: "Map(1) { 'a' => NaN }" },
  { name: 'an object', value: { a: [1, null], 'b-c': {} }, text: "{ a: [1, null], 'b-c': {} }" },
  {
    name: 'an object without a prototype',
    value: Object.assign(Object.create(null), { a: 1 }),
    text: '{ a: 1 }',
  },
  { name: 'a circle', value: circle, text: '{ a: 1, self: [circular] }' },
];
for (const { name, value, text } of shown) {
  test(`${name} is shown as ${text}`, () => expect(inspect(value)).toBe(text));
}

describe('what is shown has a bound', () => {
  const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown;
  const wide = Array.from({ length: 100_000 }, (_, at) => ({ at, text: 'x'.repeat(100) }));
  test.each([
    ['a long text', 'x'.repeat(1_000_000)],
    ['a deep array', deep],
    ['a wide array', wide],
    ['many bytes', new Uint8Array(1_000_000)],
    ['an object of many', Object.fromEntries(wide.map((each) => [`k${each.at}`, each]))],
  ])('%s', (_, value) => {
    expect(inspect(value).length).toBeLessThan(20_000);
    expect(inspect(value)).toContain('…');
  });
});

test('what came from JSON is source of the same value', () => {
  const json =
    '{"a": [1, -2.5e300, "\\u2028\\"\'\\\\", null, true], "__proto__": {"x": 1}, "b c": {}, "e": []}';
  const value = JSON.parse(json) as object;
  const again = new Function(`return ${literal(value)}`)() as object;
  expect(again).toEqual(value);
  expect(Object.keys(again)).toEqual(Object.keys(value));
  expect(Object.getPrototypeOf(again)).toBe(Object.prototype);
});

const wrong = [
  { text: 'hello', says: '"hello"' },
  { text: '2, hello', says: '"hello"' },
  { text: "'hello'", says: 'double quotes' },
  { text: '{a: 1}', says: '{"a": 1}' },
  { text: '2, 3,', says: 'comma too many' },
  { text: '"hello', says: 'does not end' },
  { text: '[1, 2', says: 'not closed' },
  { text: '1], [2', says: 'This is no JSON' },
  { text: '1 2', says: 'This is no JSON' },
];
for (const { text, says } of wrong) {
  test(`${text} is no list of arguments: ${says}`, () => {
    const { value, problem } = parseArguments(text);
    expect(value).toBeUndefined();
    expect(problem).toContain(says);
  });
}

test('arguments are JSON with commas between', () => {
  expect(parseArguments('').value).toEqual([]);
  expect(parseArguments(' 2, "three", {"four": [5]} ').value).toEqual([2, 'three', { four: [5] }]);
  expect(parseValue('').problem).toBe('Write a value.');
});

test('a value can be edited as JSON only when JSON has all of it', () => {
  expect(jsonOf({ a: [1, 'b', null] })).toBe('{"a":[1,"b",null]}');
  for (const value of [
    undefined,
    NaN,
    -0,
    new Date(0),
    new Uint8Array(1),
    new Map(),
    { a: undefined },
    circle,
  ])
    expect(jsonOf(value)).toBeUndefined();
});

test('the pieces of coloured code are the code', () => {
  const code = callCode({ app: 'a b', instance: 'x/y', args: ["it's"] }, ['heard'], 'add', [1, { a: '//' }]);
  const tokens = highlight(code);
  expect(tokens.map(({ text }) => text).join('')).toBe(code);
  expect(tokens).toContainEqual({ kind: 'string', text: "'//'" });
});

test('addresses have their names escaped', () => {
  expect(addressOf({ app: 'chat', instance: '_definst_' })).toBe('/chat');
  expect(addressOf({ app: 'a b', instance: 'x/ü?' })).toBe('/a%20b/x/%C3%BC%3F');
});
