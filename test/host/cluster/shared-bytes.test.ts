import { expect, test } from 'vitest';
import { decodeForMany, encodeForMany, SharedBytes } from '../../../host/cluster/edge/shared-bytes.ts';

const [a, b, c] = ['a', 'b', 'c'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];

/** What is sent: the clients, and the bytes as text. */
function collect(): { shared: SharedBytes; sent: [number[], string][] } {
  const sent: [number[], string][] = [];
  const shared = new SharedBytes((clients, bytes) => sent.push([[...clients], bytes.toString()]));
  return { shared, sent };
}

test('what many are sent in one round goes once, in as many pieces as there are', async () => {
  const { shared, sent } = collect();
  for (const client of [1, 2, 3, 4]) shared.add(client, client % 2 === 0 ? a : b);
  await Promise.resolve();
  for (const client of [1, 2]) for (const bytes of [a, c]) shared.add(client, bytes);
  expect(sent).toEqual([
    [[1, 3], 'b'],
    [[2, 4], 'a'],
  ]);
  await Promise.resolve();
  expect(sent.slice(2)).toEqual([
    [[1, 2], 'a'],
    [[1, 2], 'c'],
  ]);
});

test('each client has its own in order, also when another had them the other way round', () => {
  const { shared, sent } = collect();
  shared.add(1, a);
  shared.add(1, b);
  shared.add(2, b);
  shared.add(2, a);
  shared.add(2, a);
  shared.flush();
  const of = (client: number) => sent.filter(([clients]) => clients.includes(client)).map(([, text]) => text);
  expect(of(1)).toEqual(['a', 'b']);
  expect(of(2)).toEqual(['b', 'a', 'a']);
});

test('clients and bytes survive the way; what is cut off is blamed on the peer', () => {
  const payload = encodeForMany([1, 0xffff_ffff], a);
  expect(decodeForMany(payload)).toEqual({ clients: [1, 0xffff_ffff], bytes: payload.subarray(12) });
  for (const bytes of ['', '000000', '00000002' + '00000001', 'ffffffff00000001'])
    expect(() => decodeForMany(Buffer.from(bytes, 'hex'))).toThrow(
      expect.objectContaining({ code: 'E_EDGE', blame: 'peer' }),
    );
});
