import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { defaultLimits } from '../../../host/base/limits.ts';
import { isOfTunnel, parseHead } from '../../../host/rtmp/tunnel/request-head.ts';
import { Tunnels } from '../../../host/rtmp/tunnel/tunnels.ts';
import { inTime } from '../../support/journal.ts';
import { certificate, privateKey } from '../../support/tls.ts';

const answerHi = (_: IncomingMessage, response: ServerResponse) => void response.end('hi');

for (const isSecure of [false, true]) {
  test(`tunnels share a server ${isSecure ? 'with' : 'without'} TLS with others, and know which it is`, async () => {
    const accepted: boolean[] = [];
    const tunnels = new Tunnels({ accept: (_, secure) => void accepted.push(secure) }, defaultLimits);
    const server = isSecure
      ? createSecureServer({ cert: certificate, key: privateKey }, answerHi)
      : createServer(answerHi);
    tunnels.shareServer(server, 10);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      tunnels.close();
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const url = (path: string) => `http${isSecure ? 's' : ''}://127.0.0.1:${port}${path}`;
    expect(await post(url('/open/1'))).toMatch(/^[0-9a-f]{32}\n$/);
    expect(await post(url('/'))).toBe('hi');
    expect(accepted).toEqual([isSecure]);
  });
}

const beginnings = [
  { text: 'P', is: undefined },
  { text: 'POST /open/1 HTTP/1.1', is: undefined },
  { text: 'POST /open/1 HTTP/1.1\r\n', is: true },
  { text: 'POST /fcs/ident2 HTTP/1.0\r\nHost: x', is: true },
  { text: 'POST /send/ HTTP/1.1\r\n', is: true },
  { text: 'POST /send HTTP/1.1\r\n', is: false },
  { text: 'POST /api/backup HTTP/1.1\r\n', is: false },
  { text: 'GET /send/room/cam.flv HTTP/1.1\r\n', is: false },
  { text: 'GET /send/0123/4 HTTP/1.1\r\n', is: true },
  { text: '\r\n', is: false },
  { text: '\x16\x03\x01', is: undefined },
  { text: 'x'.repeat(300), is: false },
];
for (const { text, is } of beginnings) {
  test(`${JSON.stringify(text.slice(0, 50))} ${is === undefined ? 'may be' : is ? 'is' : 'is not'} of a tunnel`, () => {
    expect(isOfTunnel(text)).toBe(is);
  });
}

const heads = [
  { fields: 'Content-Length: 7', head: { bodyBytes: 7, isKept: true, expectsGo: false } },
  { fields: 'content-length:7\r\nCONNECTION: Close', head: { bodyBytes: 7, isKept: false } },
  { fields: 'Expect: 100-Continue', head: { bodyBytes: 0, expectsGo: true } },
];
for (const { fields, head } of heads) {
  test(`a head with ${JSON.stringify(fields)} is understood`, () => {
    const path = { at: 'send', id: 'ab', number: 12 };
    expect(parseHead(`POST /send/ab/12 HTTP/1.1\r\nHost: x\r\n${fields}`)).toMatchObject({ path, ...head });
  });
}

test('HTTP/1.0 keeps a connection when it is asked to', () => {
  expect(parseHead('POST /open/1 HTTP/1.0')).toMatchObject({ isKept: false });
  expect(parseHead('POST /open/1 HTTP/1.0\r\nConnection: Keep-Alive')).toMatchObject({ isKept: true });
});

function post(url: string): Promise<string> {
  const answer = new Promise<string>((resolve, reject) => {
    const options = { method: 'POST', rejectUnauthorized: false };
    const read = (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('latin1').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    };
    if (url.startsWith('https:')) request(url, options, read).on('error', reject).end('x');
    else fetch(url, { method: 'POST', body: 'x' }).then(async (r) => resolve(await r.text()), reject);
  });
  return inTime(`an answer to ${url}`, answer);
}
