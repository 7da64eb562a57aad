import { expect, test } from 'vitest';
import { type Command, decodeCommand, encodeCommand } from '../../runtime/wall/commands.ts';
import { type Delivery, decodeDelivery, encodeDelivery } from '../../runtime/wall/deliveries.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const bytes = fromHex('0200 03 ff00');
const info = {
  id: 'id',
  ip: '::1',
  agent: 'LNX 9,0',
  referrer: '',
  pageUrl: 'http://a/\u00fc',
  uri: 'rtmp://h/app',
  protocol: 'rtmp',
  secure: true,
  canReconnect: true,
  access: { readAccess: '/', writeAccess: 'a;b/c', audioSampleAccess: '', videoSampleAccess: 'x' },
  bandwidth: { toClient: 1.5e9, toServer: 0 },
};
const command = { type: 17, body: bytes };
const stream = { name: 'a/b', query: 'key=1', mode: 'live' };
const big = 0xffffffff;

const deliveries: Delivery[] = [
  { kind: 'start' },
  {
    kind: 'shared-state',
    object: big,
    version: big,
    changes: [{ op: 'set', name: 'a', value: Uint8Array.of(6) }, { op: 'clear' }],
  },
  {
    kind: 'shared-sync',
    object: 1,
    client: big,
    list: [
      { code: 'change', name: 'a', oldValue: new Uint8Array(0) },
      { code: 'delete', name: 'ü', oldValue: Uint8Array.of(5) },
      { code: 'clear', name: '', oldValue: new Uint8Array(0) },
    ],
  },
  { kind: 'shared-send', object: 1, client: 2, values: Uint8Array.of(2, 0, 1, 97) },
  { kind: 'shared-guard', object: 1, request: big, client: 2, changes: [{ op: 'remove', name: 'ü' }] },
  { kind: 'shared-unlock', object: 1, waitedMs: 30_000 },
  { kind: 'wake' },
  { kind: 'undraft' },
  { kind: 'link-status', link: big, change: 2, command },
  {
    kind: 'push-status',
    push: big,
    change: 2,
    level: 'error',
    code: 'NetStream.Publish.BadName',
    description: 'ü',
  },
  { kind: 'stop', code: 'Application.GC' },
  { kind: 'connect', client: 1, info, command },
  {
    kind: 'reattach',
    client: big,
    info: { ...info, secure: false, canReconnect: false },
    command,
    reason: 'reload',
  },
  { kind: 'disconnect', client: 0 },
  { kind: 'low-memory', usedMb: 60, limitMb: 64 },
  { kind: 'call', client: 2, call: big, command: { type: 20, body: new Uint8Array(0) } },
  { kind: 'reply', request: 3, isOk: true, command },
  { kind: 'reply', request: 3, isOk: false, command },
  { kind: 'unanswered', request: 4, description: 'Client disconnected' },
  { kind: 'publish', client: 5, stream },
  { kind: 'unpublish', client: 5, stream: { name: '', query: '', mode: '' } },
  { kind: 'authorize', request: 6, action: 'publish', client: 7, stream },
  { kind: 'authorize', request: 6, action: 'play', client: 7, stream },
  {
    kind: 'status',
    info: { isWarning: true, description: 'no', filename: 'main.ts', lineno: 12, linebuf: '\tfail();' },
  },
  {
    kind: 'fetched',
    request: 8,
    status: 200,
    statusText: 'OK',
    url: 'https://a/\u00fc',
    isRedirected: true,
    headers: [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ],
    body: bytes,
  },
  { kind: 'unfetched', request: big, code: 'E_FETCH_DENIED', message: 'no' },
];

const commands: Command[] = [
  { kind: 'link-open', link: big, uri: 'rtmp:/a/ü', objectEncoding: 3, canReconnect: true, args: bytes },
  { kind: 'link-close', link: big },
  { kind: 'push-start', push: big, link: big, stream: 'ü', bufferMs: 1.5, name: 'n?k=1', mode: 'live' },
  { kind: 'push-set', push: big, stream: '', bufferMs: 0 },
  { kind: 'push-send', push: big, values: bytes },
  { kind: 'push-stop', push: big },
  {
    kind: 'stream-set',
    stream: 'mp4:ü',
    isSynchronous: true,
    bufferMs: 1.5,
    receivesAudio: false,
    receivesVideo: true,
  },
  { kind: 'started', error: '', functions: [] },
  { kind: 'started', error: 'no', functions: ['onConnect', 'tick'] },
  { kind: 'stopped', isVetoed: true },
  { kind: 'accept', client: 1 },
  { kind: 'access', client: 2, name: 'videoSampleAccess', paths: 'a;b' },
  { kind: 'bandwidth', client: 2, toClient: 1e6, toServer: 0 },
  { kind: 'shutdown' },
  { kind: 'check-bandwidth', client: 2 },
  { kind: 'unfetch', request: 9 },
  { kind: 'reject', client: 2, info: bytes },
  { kind: 'attached', client: 3, isKept: false },
  { kind: 'disconnect', client: 4 },
  { kind: 'result', call: 5, value: bytes },
  { kind: 'error', call: big, info: bytes },
  { kind: 'missing', call: 6 },
  { kind: 'invoke', client: 7, request: 0, method: 'm\u00fc', args: bytes },
  { kind: 'broadcast', method: 'm', args: new Uint8Array(0) },
  { kind: 'verdict', request: 8, isAllowed: true, description: '' },
  {
    kind: 'fetch',
    request: 9,
    url: 'https://a/',
    method: 'POST',
    headers: [['content-type', 'text/plain']],
    body: bytes,
    redirect: 'manual',
    timeoutMs: 1.5,
  },
  {
    kind: 'fetch',
    request: 10,
    url: '',
    method: '',
    headers: [],
    body: new Uint8Array(0),
    redirect: 'follow',
    timeoutMs: 0,
  },
  {
    kind: 'share',
    object: big,
    changes: [
      { op: 'set', name: 'ü', value: Uint8Array.of(5) },
      { op: 'remove', name: '' },
      { op: 'clear' },
      { op: 'send', values: Uint8Array.of(2, 0, 1, 97) },
      { op: 'until', name: 'ü', client: big },
    ],
  },
  { kind: 'share-lock', object: 1, isLocked: true },
  { kind: 'share-close', object: big },
  { kind: 'share-attach', object: 1, link: big },
  { kind: 'share-guard', object: big },
  {
    kind: 'share-verdict',
    object: 1,
    request: big,
    isLater: true,
    isHeard: false,
    decisions: [{ op: 'refuse' }, { op: 'allow' }, { op: 'replace', value: Uint8Array.of(5) }],
  },
  { kind: 'share-purge', object: 1, version: big },
  { kind: 'log', level: 'warn', text: 'line\nline' },
  { kind: 'script-error', where: 'application.onConnect', message: 'no', stack: 'at x' },
  { kind: 'wake-at', atMs: 1.7e12 + 0.5 },
];

for (const delivery of deliveries) {
  test(`the delivery ${delivery.kind} crosses the wall unchanged, and nothing is left of it`, () => {
    const writer = new ByteWriter();
    encodeDelivery(writer, delivery);
    encodeDelivery(writer, { kind: 'wake' });
    const reader = new ByteReader(writer.view);
    expect(decodeDelivery(reader)).toEqual(delivery);
    expect(decodeDelivery(reader)).toEqual({ kind: 'wake' });
    expect(reader.remaining).toBe(0);
  });
}

for (const command of commands) {
  test(`the command ${command.kind} crosses the wall unchanged, and nothing is left of it`, () => {
    const writer = new ByteWriter();
    encodeCommand(writer, command);
    encodeCommand(writer, { kind: 'accept', client: 9 });
    const reader = new ByteReader(writer.view);
    expect(decodeCommand(reader)).toEqual(command);
    expect(decodeCommand(reader)).toEqual({ kind: 'accept', client: 9 });
    expect(reader.remaining).toBe(0);
  });
}

test('a record begins with its length and kind', () => {
  const writer = new ByteWriter();
  encodeDelivery(writer, { kind: 'stop', code: 'x' });
  expect(toHex(writer.view)).toBe('00000006020000000178');
});

test('a truncated record throws, wherever it ends', () => {
  const writer = new ByteWriter();
  encodeDelivery(writer, { kind: 'connect', client: 1, info, command });
  for (let length = 0; length < writer.length; length++) {
    const reader = new ByteReader(writer.view.subarray(0, length));
    expect(() => decodeDelivery(reader), `${length} bytes`).toThrow(
      expect.objectContaining({ code: 'E_TRUNCATED' }),
    );
  }
});

test('a field cannot reach into the next record', () => {
  const writer = new ByteWriter();
  encodeCommand(writer, { kind: 'started', error: 'ab', functions: [] });
  encodeCommand(writer, { kind: 'started', error: 'cd', functions: [] });
  const lying = writer.copy();
  lying[8] = 3; // of the text's two bytes
  expect(() => decodeCommand(new ByteReader(lying))).toThrow(
    expect.objectContaining({ code: 'E_TRUNCATED' }),
  );
});

test('a redirect mode that nobody knows is the strictest', () => {
  const writer = new ByteWriter();
  const fetch = { request: 1, url: 'u', method: 'GET', headers: [], body: new Uint8Array(0), timeoutMs: 0 };
  encodeCommand(writer, { kind: 'fetch', ...fetch, redirect: 'follow' });
  const lying = writer.copy();
  lying[lying.length - 9] = 7; // before the eight bytes of timeoutMs
  expect(decodeCommand(new ByteReader(lying))).toMatchObject({ redirect: 'error' });
});

for (const { what, decode } of [
  { what: 'delivery', decode: decodeDelivery },
  { what: 'command', decode: decodeCommand },
]) {
  test(`an unknown ${what} is a bug of the host`, () => {
    const record = new ByteReader(fromHex('00000001 ff'));
    expect(() => decode(record)).toThrow(expect.objectContaining({ code: 'E_WALL', blame: 'host' }));
  });
}
