import { createHash, createHmac } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { MAX_HASHED_BYTES, MAX_URL_CHARACTERS } from '../../../runtime/wall/asks.ts';
import { decodeAmf0, encodeAmf0 } from '../../../wire/amf0.ts';
import { fromHex } from '../../support/vectors.ts';

vi.stubGlobal('RUNTIME_PARTS', { web: 'its code' });
const { answerHere } = await import('../../../host/core/answers.ts');

const ask = (name: unknown, ...args: unknown[]) => decodeAmf0(answerHere(encodeAmf0([name, args])));
const refused = (message: string) => [false, expect.stringContaining(message), expect.stringMatching(/^E_/)];

test('the core answers with code, addresses and hashes', () => {
  expect(ask('code', 'web')).toEqual([true, 'its code']);
  const parts = ['http://h:81/x?y#z', 'http://h:81', 'http:', '', '', 'h:81', 'h', '81', '/x', '?y', '#z'];
  expect(ask('url', '/x?y#z', 'http://h:81')).toEqual([true, parts]);
  expect(ask('url', 'nothing', null)).toEqual([true, null]);
  expect(ask('setUrl', 'http://h:81/x?y', 'hash', 'z')).toEqual([true, parts]);
  expect(ask('setUrl', 'http://h/', 'href', 'nothing')).toEqual([true, null]);
  const data = Uint8Array.of(1, 2, 3);
  expect(ask('digest', 'sha384', data)).toEqual([
    true,
    Uint8Array.from(createHash('sha384').update(data).digest()),
  ]);
  expect(ask('hmac', 'sha1', data, data)).toEqual([
    true,
    Uint8Array.from(createHmac('sha1', data).update(data).digest()),
  ]);
});

const hostile: [string, unknown, unknown[], string][] = [
  ['a name that nothing has', 'toString', [], 'no answer'],
  ['a name that is none', { a: 1 }, [], 'no answer'],
  ['the code of no part', 'code', ['constructor'], 'no such part'],
  ['a part that is none', 'code', [{}], 'no such part'],
  ['an address that is none', 'url', [5, null], 'an address is text'],
  ['a base that is none', 'url', ['x', [1]], 'an address is text'],
  ['an address that is too long', 'url', ['x'.repeat(MAX_URL_CHARACTERS + 1), null], 'are allowed'],
  ['one that becomes too long', 'url', [`http://h/${'é'.repeat(20_000)}`, null], 'are allowed'],
  ['to set what cannot be set', 'setUrl', ['http://h/', 'searchParams', 'x'], 'no such member'],
  ['to set what every object has', 'setUrl', ['http://h/', '__proto__', 'x'], 'no such member'],
  ['to set a member of nothing', 'setUrl', ['nothing', 'hash', 'x'], 'no such member'],
  ['to set what is no text', 'setUrl', ['http://h/', 'hash', { length: 1 }], 'an address is text'],
  ['a hash that is slow or broken', 'digest', ['md5', new Uint8Array(1)], 'no such hash'],
  ['a hash of no bytes', 'digest', ['sha1', 'text'], 'is bytes'],
  ['a hash of too many', 'digest', ['sha1', new Uint8Array(MAX_HASHED_BYTES + 1)], 'are allowed'],
  ['a key that is none', 'hmac', ['sha1', null, new Uint8Array(1)], 'is bytes'],
];

for (const [what, name, args, message] of hostile) {
  test(`the core refuses ${what}`, () => {
    expect(ask(name, ...args)).toEqual(refused(message));
  });
}

test('the core refuses what is no question', () => {
  const noArguments = Buffer.from(encodeAmf0(['url', 'x'])).toString('hex');
  for (const hex of ['', '02', 'ff', '0a7fffffff', '03'.repeat(500), noArguments])
    expect(decodeAmf0(answerHere(fromHex(hex)))[0]).toBe(false);
});
