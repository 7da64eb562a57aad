import { describe, expect, test } from 'vitest';
import { parseStreamName } from '../../wire/stream-name.ts';

describe('a stream name', () => {
  const cases = [
    { text: 'cam', is: { name: 'cam', container: '', query: '' } },
    { text: 'cam?token=x?y', is: { name: 'cam', container: '', query: 'token=x?y' } },
    { text: 'mp4:shows/one.f4v', is: { name: 'shows/one.f4v', container: 'mp4', query: '' } },
    { text: 'flv:cam', is: { name: 'cam', container: 'flv', query: '' } },
    { text: 'a=b-c', is: { name: 'a=b-c', container: '', query: '' } },
  ];
  for (const { text, is } of cases)
    test(`"${text}" is ${is.name}`, () => expect(parseStreamName(text)).toEqual(is));

  for (const text of ['', '?x', '../x', 'a/../b', '/abs', 'a\\b', 'mp4:', 'a\u0000']) {
    test(`${JSON.stringify(text)} is refused`, () => {
      expect(() => parseStreamName(text)).toThrow(expect.objectContaining({ code: 'E_NAME' }));
    });
  }
});
