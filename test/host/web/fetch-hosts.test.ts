import { describe, expect, test } from 'vitest';
import { isHostEntry } from '../../../host/base/host-list.ts';
import { FetchHosts } from '../../../host/web/fetch-hosts.ts';

const hosts = new FetchHosts([
  'api.example.com',
  'api.example.com:8443',
  '*.example.org',
  '*.Example.NET:81',
  'BÜCHER.example.',
  'localhost',
  '*.localhost:80',
  '127.0.0.1:9000',
  '[::1]:9000',
  'fd00::1',
  '10.0.0.5',
  '0x7f.2',
]);

const allowed = [
  'http://api.example.com/',
  'https://api.example.com/x?y#z',
  'https://api.example.com:443/',
  'http://api.example.com:8443/',
  'https://api.example.com:8443/',
  'https://API.Example.COM/',
  'https://api.example.com./',
  'https://%61pi.example.com/',
  'https://api%2eexample.com/',
  'https://api。example。com/',
  'http://a.example.org/',
  'http://a.b.c.example.org./',
  'http://a.example.net:81/',
  'http://bücher.example/',
  'http://xn--bcher-kva.example/',
  'http://127.0.0.1:9000/',
  'http://0x7f.1:9000/',
  'http://2130706433:9000/',
  'http://0177.0.0.1:9000/',
  'http://127.0.0.1.:9000/',
  'http://１２７.0.0.1:9000/',
  'http://127.0.0.2/',
  'http://[::1]:9000/',
  'http://[0:0::0001]:9000/',
  'https://[fd00::1]/',
  'http://10.0.0.5/',
  'http:\\\\api.example.com\\path',
];
for (const url of allowed) {
  test(`${url} may be fetched`, () => expect(() => hosts.check(new URL(url))).not.toThrow());
}

const denied = [
  { url: 'http://example.com/', says: 'add "example.com" to fetch.hosts' },
  { url: 'http://api.example.com:8080/', says: 'add "api.example.com:8080" to fetch.hosts' },
  { url: 'http://api.example.com:443/', says: 'add "api.example.com:443"' },
  { url: 'https://api.example.com:80/', says: 'add "api.example.com:80"' },
  { url: 'http://api.example.com:0/', says: 'add "api.example.com:0"' },
  { url: 'http://x.api.example.com/', says: 'add "x.api.example.com"' },
  { url: 'http://api.example.com../', says: 'not listed' },
  { url: 'http://api.example.com.evil.test/', says: 'add "api.example.com.evil.test"' },
  { url: 'http://evil.test\\@api.example.com/', says: 'add "evil.test"' },
  { url: 'http://evil.test#@api.example.com/', says: 'add "evil.test"' },
  { url: 'http://example.org/', says: 'add "example.org"' },
  { url: 'http://notexample.org/', says: 'add "notexample.org"' },
  { url: 'http://a.example.org:8080/', says: 'add "a.example.org:8080"' },
  { url: 'http://a.example.net/', says: 'add "a.example.net"' },
  { url: 'http://localhost/', says: 'list its address, such as "127.0.0.1"' },
  { url: 'http://LOCALHOST./', says: '"localhost" is this machine' },
  { url: 'http://db.localhost/', says: '"db.localhost" is this machine' },
  { url: 'http://127.0.0.1/', says: 'add "127.0.0.1"' },
  { url: 'http://127.1:9001/', says: 'add "127.0.0.1:9001"' },
  { url: 'http://127.0.0.3/', says: 'add "127.0.0.3"' },
  { url: 'http://[::ffff:127.0.0.1]:9000/', says: 'add "[::ffff:7f00:1]:9000"' },
  { url: 'http://[::1]/', says: 'add "[::1]"' },
  { url: 'http://[fd00::2]/', says: 'add "[fd00::2]"' },
  { url: 'http://user@api.example.com/', says: 'send an Authorization header' },
  { url: 'http://:secret@api.example.com/', says: 'send an Authorization header' },
  { url: 'ftp://api.example.com/', says: 'only http and https can be fetched, not ftp:' },
  { url: 'file:///etc/passwd', says: 'not file:' },
  { url: 'data:text/plain,x', says: 'not data:' },
  { url: 'blob:http://api.example.com/x', says: 'not blob:' },
  { url: 'ws://api.example.com/', says: 'not ws:' },
];
for (const { url, says } of denied) {
  test(`${url} is denied: ${says}`, () => {
    expect(() => hosts.check(new URL(url))).toThrow(
      expect.objectContaining({
        code: 'E_FETCH_DENIED',
        blame: 'app',
        message: expect.stringContaining(says),
      }),
    );
  });
}

test('a denial tells neither the password nor the query', () => {
  let message = '';
  try {
    hosts.check(new URL('http://me:pass@evil.test/path?key=secret#part'));
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain('http://evil.test/path');
  expect(message).not.toMatch(/pass@|me:|secret|part/);
});

test('without any host the message shows what app.json needs', () => {
  expect(() => new FetchHosts([]).check(new URL('http://a.test:81/'))).toThrow(
    'add "a.test:81" to fetch.hosts in app.json: { "fetch": { "hosts": ["a.test:81"] } }',
  );
});

test('an address with a zone is no URL at all', () => {
  expect(URL.canParse('http://[fe80::1%25eth0]/')).toBe(false);
  expect(URL.canParse('http://[fe80::1%eth0]/')).toBe(false);
});

describe('an entry that is no host', () => {
  for (const entry of [
    ...[
      '',
      ' ',
      '*',
      '*.',
      '.',
      '..',
      '.example.com',
      'http://example.com',
      'example.com/',
      'example.com/path',
    ],
    ...['example.com:', 'example.com:0', 'example.com:65536', 'example.com:x', 'example.com:80:80', ':80'],
    ...[
      'user@example.com',
      'a.*.com',
      '*.*.com',
      'a b.com',
      '*.127.0.0.1',
      '*.[::1]',
      '[::1',
      '::1]',
      '[fe80::1%eth0]',
    ],
    ...['fe80::1%eth0', '[127.0.0.1]', '[]', 'exa?mple', 'exa#mple', '1.2.3.256', 'a\\b', '%zz.com'],
  ]) {
    test(`"${entry}"`, () => expect(isHostEntry(entry)).toBe(false));
  }
});

describe('an entry that is a host', () => {
  for (const entry of [
    'a',
    'a_b.com',
    'localhost:8080',
    '*.com',
    '::1',
    '[::1]',
    '1',
    '127.1',
    'пример.рф:443',
  ]) {
    test(`"${entry}"`, () => expect(isHostEntry(entry)).toBe(true));
  }
});
