import { expect, test } from 'vitest';
import { inspect } from '../../runtime/inspect.ts';

class Room {
  name = 'lobby';
}
const loop: Record<string, unknown> = { name: 'loop' };
loop.self = loop;

const cases: { name: string; value: unknown; text: string }[] = [
  { name: 'a text', value: 'plain "text"', text: 'plain "text"' },
  { name: 'a text inside', value: ['a "b"'], text: '["a \\"b\\""]' },
  { name: 'numbers', value: [1, -0.5, Number.NaN, 10n], text: '[1, -0.5, NaN, 10n]' },
  { name: 'null and undefined', value: [null, undefined], text: '[null, undefined]' },
  { name: 'a date', value: new Date(0), text: '1970-01-01T00:00:00.000Z' },
  { name: 'a date that is none', value: new Date(Number.NaN), text: 'Invalid Date' },
  { name: 'a function', value: function hello() {}, text: '[function hello]' },
  { name: 'an object', value: { a: 1, b: { c: [] } }, text: '{ a: 1, b: { c: [] } }' },
  { name: 'an empty object', value: {}, text: '{}' },
  { name: 'an object of a class', value: new Room(), text: 'Room { name: "lobby" }' },
  {
    name: 'an object without a prototype',
    value: Object.assign(Object.create(null), { a: 1 }),
    text: '{ a: 1 }',
  },
  { name: 'an object in itself', value: loop, text: '{ name: "loop", self: [circular] }' },
  { name: 'what is too deep', value: { a: { b: { c: { d: 1 } } } }, text: '{ a: { b: { c: {...} } } }' },
  { name: 'a map', value: new Map([['k', { v: 1 }]]), text: 'Map { "k" => { v: 1 } }' },
  { name: 'a set', value: new Set([1, 'x']), text: 'Set { 1, "x" }' },
  { name: 'bytes', value: new Uint8Array(300), text: '[Uint8Array of 300 bytes]' },
  {
    name: 'a long list',
    value: new Array(52).fill(0),
    text: `[${new Array(50).fill('0').join(', ')}, ... 2 more]`,
  },
];
for (const { name, value, text } of cases) {
  test(`${name} is printed as a person would write it`, () => expect(inspect(value)).toBe(text));
}

test('an object seen twice is no circle', () => {
  const shared = { a: 1 };
  expect(inspect([shared, shared])).toBe('[{ a: 1 }, { a: 1 }]');
});

test('an error shows its stack', () => {
  expect(inspect(new TypeError('no'))).toMatch(/^TypeError: no\n\s+at /);
});

const hostile = {
  'a getter that throws': Object.defineProperty({}, 'a', {
    enumerable: true,
    get() {
      throw new Error('trap');
    },
  }),
  'a proxy that throws': new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('trap');
      },
    },
  ),
};
for (const [name, value] of Object.entries(hostile)) {
  test(`${name} says so and does not throw`, () => expect(inspect(value)).toBe('[not readable: trap]'));
}
