import { describe, expect, test } from 'vitest';
import {
  type ClientInfo,
  type Command,
  type Delivery,
  decodeCommand,
  decodeDelivery,
  encodeCommand,
  encodeDelivery,
} from '../../runtime/protocol.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';

const info: ClientInfo = {
  id: 'abc',
  ip: '::1',
  agent: 'LNX 9,0,124,2',
  referrer: '',
  pageUrl: 'http://é/',
  uri: 'rtmp://h/a?q',
  protocol: 'rtmp',
  secure: true,
};
const command = { type: 17, body: Uint8Array.of(0, 2, 0) };
const stream = { name: 'cam', query: 'a=b', mode: 'live' };
const bytes = Uint8Array.of(1, 2, 3);

const deliveries: Delivery[] = [
  { kind: 'start' },
  { kind: 'stop', code: 'Application.GC' },
  { kind: 'connect', client: 1, info, command },
  { kind: 'reattach', client: 0xffffffff, info, command, reason: 'reload' },
  { kind: 'disconnect', client: 2 },
  { kind: 'call', client: 3, call: 0, command },
  { kind: 'reply', request: 4, isOk: false, command },
  { kind: 'unanswered', request: 5, description: 'gone' },
  { kind: 'publish', client: 6, stream },
  { kind: 'unpublish', client: 6, stream },
  { kind: 'authorize', request: 7, action: 'play', client: 6, stream },
  { kind: 'status', info: { description: 'x', filename: 'main.ts', lineno: 70_000, linebuf: 'throw x' } },
  { kind: 'wake' },
];

const commands: Command[] = [
  { kind: 'started', error: '' },
  { kind: 'stopped', isVetoed: true },
  { kind: 'accept', client: 1 },
  { kind: 'reject', client: 1, info: bytes },
  { kind: 'attached', client: 1, isKept: false },
  { kind: 'disconnect', client: 1 },
  { kind: 'result', call: 9, value: bytes },
  { kind: 'error', call: 9, info: bytes },
  { kind: 'missing', call: 9 },
  { kind: 'invoke', client: 1, request: 0, method: 'm', args: new Uint8Array(0) },
  { kind: 'broadcast', method: 'ü', args: bytes },
  { kind: 'verdict', request: 1, isAllowed: true, description: '' },
  { kind: 'log', level: 'warn', text: 'a\nb' },
  { kind: 'script-error', where: 'x', message: 'y', stack: 'z' },
  { kind: 'wake-at', atMs: 1.5e12 },
];

describe('what crosses the wall', () => {
  for (const delivery of deliveries) {
    test(`the delivery ${delivery.kind} arrives as it was sent`, () => {
      const out = new ByteWriter();
      encodeDelivery(out, delivery);
      expect(decodeDelivery(new ByteReader(out.view))).toEqual(delivery);
    });
  }

  for (const sent of commands) {
    test(`the command ${sent.kind} arrives as it was sent`, () => {
      const out = new ByteWriter();
      encodeCommand(out, sent);
      expect(decodeCommand(new ByteReader(out.view))).toEqual(sent);
    });
  }

  test('arrives in order, one after the other', () => {
    const out = new ByteWriter();
    for (const delivery of deliveries) encodeDelivery(out, delivery);
    const reader = new ByteReader(out.view);
    expect(deliveries.map(() => decodeDelivery(reader).kind)).toEqual(deliveries.map(({ kind }) => kind));
    expect(reader.remaining).toBe(0);
  });

  test('is refused when it is of no known kind, or ends early', () => {
    expect(() => decodeDelivery(new ByteReader(Uint8Array.of(0, 0, 0, 1, 99)))).toThrow(
      /unknown delivery kind 99/,
    );
    expect(() => decodeCommand(new ByteReader(Uint8Array.of(0, 0, 0, 1, 0)))).toThrow(
      /unknown command kind 0/,
    );
    expect(() => decodeCommand(new ByteReader(Uint8Array.of(0, 0, 0, 9, 3)))).toThrow(/needed 9 bytes/);
    expect(() => decodeCommand(new ByteReader(Uint8Array.of(0, 0, 0, 1, 3)))).toThrow(/needed 4 bytes/);
  });
});
