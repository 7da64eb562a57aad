import { describe, expect, test } from 'vitest';
import {
  ClientHandshake,
  findDigest,
  handshakePacketBytes,
  isSigned,
  playerKeys,
  ServerHandshake,
  serverKeys,
} from '../../../host/rtmp/handshake.ts';
import { StagewireError } from '../../../wire/errors.ts';
import { fromHex, loadVectors, type Vector } from '../../support/vectors.ts';

interface PacketVector extends Vector {
  kind: 'c1' | 's1' | 'c2' | 's2' | 'packet';
  packet: string;
  peerDigest?: string;
  expected: {
    digestBase?: 8 | 772;
    digestOffset?: number;
    digest?: string;
    digestScheme?: string | null;
    signatureValid?: boolean;
  };
}

const packets = loadVectors<PacketVector>('handshake');
const hellos = packets.filter(({ kind }) => kind === 'c1');

describe('captured packets', () => {
  for (const { name, kind, packet, peerDigest, expected } of packets) {
    const bytes = fromHex(packet);

    if (kind === 's2' || kind === 'c2') {
      test(`${name} is signed for the digest it answers`, () => {
        const key = kind === 's2' ? serverKeys.signature : playerKeys.signature;
        expect(isSigned(bytes, key, fromHex(peerDigest!))).toBe(expected.signatureValid);
        expect(isSigned(bytes, key, new Uint8Array(32))).toBe(false);
      });
      continue;
    }

    test(`${name}: its digest is found where it lies`, () => {
      const found = findDigest(bytes, kind === 's1' ? serverKeys.digest : playerKeys.digest);
      if (expected.digestBase === undefined) {
        expect(found).toBeUndefined();
      } else {
        expect(found).toEqual({
          base: expected.digestBase,
          position: expected.digestOffset,
          digest: fromHex(expected.digest!),
        });
      }
    });
  }
});

describe('the server', () => {
  for (const { name, packet, expected } of hellos) {
    test(`answers ${name} in its own form`, () => {
      const c1 = fromHex(packet);
      const { answer, server } = answerTo(c1);
      const s1 = answer.subarray(1, 1 + handshakePacketBytes);
      const s2 = answer.subarray(1 + handshakePacketBytes);
      expect(answer).toHaveLength(1 + 2 * handshakePacketBytes);
      expect(answer[0]).toBe(3);

      const found = findDigest(s1, serverKeys.digest);
      if (expected.digestBase === undefined) {
        expect(server.form).toBe('simple');
        expect(found).toBeUndefined();
        expect([...s1.subarray(4, 8)]).toEqual([0, 0, 0, 0]);
        expect(s2.subarray(0, 4)).toEqual(c1.subarray(0, 4));
        expect(s2.subarray(8)).toEqual(c1.subarray(8));
      } else {
        expect(server.form).toBe('digest');
        expect(found?.base).toBe(expected.digestBase);
        expect(s1[4]).toBeGreaterThanOrEqual(3);
        expect(isSigned(s2, serverKeys.signature, fromHex(expected.digest!))).toBe(true);
      }
    });
  }

  test('answers a version without a digest in the simple form, with no version of its own', () => {
    const c1 = fromHex(hellos.find(({ expected }) => expected.digestBase === 772)!.packet);
    c1[500] = c1[500]! ^ 1;
    c1[1200] = c1[1200]! ^ 1;
    const { answer, server } = answerTo(c1);
    expect(server.form).toBe('simple');
    expect([...answer.subarray(5, 9)]).toEqual([0, 0, 0, 0]);
  });

  test('accepts its input byte by byte and leaves the first chunks alone', () => {
    const server = new ServerHandshake();
    const input = new Uint8Array(1 + 2 * handshakePacketBytes + 5);
    input[0] = 3;
    let sent = 0;
    for (let at = 0; at < input.length - 5; at++) {
      const step = server.push(input.subarray(at, at + 1));
      expect(step.consumed).toBe(1);
      expect(step.done).toBe(at === input.length - 6);
      sent += step.send.length;
      // Nothing can be known before C1 is whole, and C2 is not waited for.
      expect(sent).toBe(at < handshakePacketBytes ? 0 : 1 + 2 * handshakePacketBytes);
    }
    expect(server.push(input.subarray(-5))).toEqual({ send: new Uint8Array(0), consumed: 0, done: true });

    const whole = new ServerHandshake().push(input);
    expect(whole.consumed).toBe(input.length - 5);
    expect(whole.done).toBe(true);
  });

  for (const version of [0, 3, 6, 9, 0x16, 31]) {
    test(`answers version ${version} with 3`, () => {
      const { answer } = answerTo(new Uint8Array(handshakePacketBytes), version);
      expect(answer[0]).toBe(3);
    });
  }

  const refused = [
    { name: 'an HTTP GET', input: 'GET / HTTP/1.1', says: '0x47 instead of 0x03: this looks like HTTP' },
    { name: 'an HTTP POST', input: 'POST /open/1', says: '0x50 instead of 0x03: this looks like HTTP' },
    { name: 'a TLS hello', input: '\x16\x03\x01\x02', says: '0x16 instead of 0x03: this looks like TLS' },
    { name: 'the first byte of text', input: ' ', says: '0x20 instead of 0x03' },
  ];
  for (const { name, input, says } of refused) {
    test(`refuses ${name} by name`, () => {
      const server = new ServerHandshake();
      const bytes = Buffer.from(input, 'latin1');
      expect(() => {
        for (const byte of bytes) server.push(Uint8Array.of(byte));
      }).toThrow(
        expect.objectContaining({
          code: 'E_HANDSHAKE_VERSION',
          blame: 'peer',
          message: expect.stringContaining(says),
        }),
      );
    });
  }
});

describe('the client', () => {
  for (const longest of [1, 700, 10_000]) {
    test(`shakes hands with the server in pieces of up to ${longest} bytes`, () => {
      const server = new ServerHandshake();
      const client = new ClientHandshake();
      const toServer = [client.start()];
      let serverDone = false;
      let clientDone = false;
      while (toServer.length > 0) {
        for (const piece of pieces(toServer.shift()!, longest)) {
          const answered = server.push(piece);
          serverDone = answered.done;
          for (const back of pieces(answered.send, longest)) {
            const step = client.push(back);
            if (step.send.length > 0) toServer.push(step.send);
            clientDone = step.done;
          }
        }
      }
      expect({ serverDone, clientDone, form: server.form }).toEqual({
        serverDone: true,
        clientDone: true,
        form: 'simple',
      });
    });
  }

  test('leaves what follows S2 alone and refuses a server that speaks HTTP', () => {
    const client = new ClientHandshake();
    const answer = answerTo(client.start().subarray(1)).answer;
    const step = client.push(Buffer.concat([answer, Buffer.alloc(7)]));
    expect({ consumed: step.consumed, done: step.done, sends: step.send.length }).toEqual({
      consumed: answer.length,
      done: true,
      sends: handshakePacketBytes,
    });
    expect(() => new ClientHandshake().push(Buffer.from('HTTP/1.1 400'))).toThrow(StagewireError);
  });
});

test('mutated hellos in any pieces get an answer or a peer error', () => {
  const random = seeded(77);
  for (let round = 0; round < 300; round++) {
    const hello = Buffer.concat([
      Buffer.from([3]),
      fromHex(hellos[random(hellos.length)]!.packet),
      Buffer.alloc(2000),
    ]);
    for (let count = random(8); count > 0; count--) hello[random(hello.length)] = random(256);
    const server = new ServerHandshake();
    try {
      let sent = 0;
      for (const piece of pieces(hello, 1 + random(900))) sent += server.push(piece).send.length;
      expect(sent).toBe(1 + 2 * handshakePacketBytes);
    } catch (error) {
      if (!(error instanceof StagewireError) || error.blame !== 'peer') throw error;
    }
  }
});

function answerTo(c1: Uint8Array, version = 3) {
  const server = new ServerHandshake({ now: () => 0x01020304 });
  expect(server.push(Uint8Array.of(version)).send).toHaveLength(0);
  return { answer: server.push(c1).send, server };
}

function pieces(bytes: Uint8Array, longest: number): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += longest) list.push(bytes.subarray(at, at + longest));
  return list;
}

function seeded(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
