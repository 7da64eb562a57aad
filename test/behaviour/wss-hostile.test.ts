import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { FlvClient } from '../support/flv-client.ts';
import { eventually, inTime } from '../support/journal.ts';
import { interFrame, keyFrame } from '../support/media.ts';
import { frameOf, RawViewer, upgradeFor } from '../support/raw-viewer.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { certificate, privateKey } from '../support/tls.ts';

/** Viewers who mean to hurt, over TLS. A good one is beside them all the time, and misses nothing. */
const folder = mkdtempSync(join(tmpdir(), 'stagewire-wss-'));
afterAll(() => rmSync(folder, { recursive: true }));
const tls = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
writeFileSync(tls.certificate, certificate);
writeFileSync(tls.key, privateKey);
const server = useServer({
  apps: { live: { 'README.md': 'no script' } },
  tls,
  limits: { handshakeMs: 1000, slowViewerMs: 500, viewerQueueBytes: 256 * 1024 },
});

const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;
let rooms = 0;

/** A show with a viewer who behaves. */
async function show() {
  const room = `room${rooms++}`;
  const publisher = await (await connect(`${server.rtmp}/live/${room}`)).createStream();
  await publisher.publish('cam');
  publisher.video(0, keyFrame(0));
  await publisher.settled();
  const path = `/live/${room}/cam.flv`;
  const wss = `${server.https.replace('http', 'ws')}${path}`;
  const good = await FlvClient.open(wss);
  const viewers = async () => (await server.instance('live', room)).streams[0]?.viewers;
  return { publisher, path, wss, https: `${server.https}${path}`, good, viewers };
}

/** The good one gets what is sent now, and is the only one left. */
async function goesOn(
  { publisher, good, viewers }: Awaited<ReturnType<typeof show>>,
  left = 1,
): Promise<void> {
  publisher.video(1000, keyFrame(77));
  await good.waitFor(keyFrame(77));
  await eventually('the other gone', async () => (await viewers()) === left);
  expect(server.log.entries.filter(({ level }) => level === 'error')).toEqual([]);
}

const code = (value: number) => Uint8Array.of(value >> 8, value & 255);
const closing: { name: string; frames: Buffer[]; code: number }[] = [
  { name: 'a goodbye', frames: [frameOf(Opcode.Close, code(1000))], code: 1000 },
  { name: 'a goodbye without a code', frames: [frameOf(Opcode.Close)], code: 1005 },
  { name: 'a goodbye with a code that is none', frames: [frameOf(Opcode.Close, code(1006))], code: 1002 },
  {
    name: 'a goodbye that is not text',
    frames: [frameOf(Opcode.Close, Uint8Array.of(3, 232, 255))],
    code: 1007,
  },
  { name: 'text that is none', frames: [frameOf(Opcode.Text, Uint8Array.of(0xff, 0xfe))], code: 1007 },
  { name: 'a long message', frames: [frameOf(Opcode.Binary, new Uint8Array(5000))], code: 1009 },
  {
    name: 'a long message in pieces',
    frames: [
      frameOf(Opcode.Binary, new Uint8Array(100), false),
      ...Array.from({ length: 50 }, () => frameOf(Opcode.Continuation, new Uint8Array(100), false)),
    ],
    code: 1009,
  },
  {
    name: 'a message in ever more pieces of no length',
    frames: [
      frameOf(Opcode.Binary, new Uint8Array(1), false),
      ...Array.from({ length: 200_000 }, () => frameOf(Opcode.Continuation, new Uint8Array(0), false)),
    ],
    code: 1008,
  },
  { name: 'a piece of nothing', frames: [frameOf(Opcode.Continuation, new Uint8Array(1))], code: 1002 },
  { name: 'a ping in pieces', frames: [frameOf(Opcode.Ping, new Uint8Array(1), false)], code: 1002 },
  { name: 'a long ping', frames: [frameOf(Opcode.Ping, new Uint8Array(126))], code: 1002 },
  { name: 'an unknown kind of frame', frames: [frameOf(3)], code: 1002 },
  { name: 'a frame without a mask', frames: [Buffer.from([0x82, 1, 0])], code: 1002 },
];
for (const { name, frames, code: expected } of closing) {
  test(`${name} ends the WebSocket with ${expected}, and nothing comes after that`, async () => {
    const all = await show();
    const viewer = await RawViewer.open(all.wss);
    viewer.socket.write(Buffer.concat(frames));
    await eventually('a close frame', () => viewer.closeCode !== undefined);
    all.publisher.video(40, interFrame(1));
    await all.publisher.settled();
    expect(viewer.closeCode).toBe(expected);
    await inTime('its end', viewer.ended);
    expect(viewer.frames.at(-1)!.opcode).toBe(Opcode.Close);
    await goesOn(all);
  });
}

test('who says goodbye, takes the answer and stays is let go within moments', async () => {
  const all = await show();
  const viewer = await RawViewer.open(all.wss);
  viewer.send(Opcode.Close, code(1000));
  const startedAt = performance.now();
  await goesOn(all);
  expect(performance.now() - startedAt).toBeLessThan(8000);
});

test('messages without end, which nobody reads, cost nothing and change nothing', async () => {
  const all = await show();
  const viewer = await RawViewer.open(all.wss);
  const text = frameOf(Opcode.Text, Buffer.from('who reads this?'.repeat(100)));
  viewer.socket.write(Buffer.concat(Array.from({ length: 2000 }, () => text)));
  viewer.send(Opcode.Ping, Buffer.from('still there'));
  await eventually('a pong', () => viewer.frames.some(({ opcode }) => opcode === Opcode.Pong));
  await goesOn(all, 2);
});

test('pings without end are answered as long as they are read, and break no frame', async () => {
  const all = await show();
  const viewer = await RawViewer.open(all.wss);
  const pings = Buffer.concat(Array.from({ length: 5000 }, () => frameOf(Opcode.Ping, new Uint8Array(125))));
  let at = 0;
  const sending = setInterval(() => {
    viewer.socket.write(pings);
    at += 40;
    all.publisher.video(at, interFrame(at));
  }, 5);
  await eventually('many pings', () => at >= 2000);
  clearInterval(sending);
  all.publisher.video(at + 40, keyFrame(5));
  await eventually('the last picture', () => viewer.frames.at(-1) !== undefined && has(viewer, keyFrame(5)));
  const opcodes = new Set(viewer.frames.map(({ opcode }) => opcode));
  expect(opcodes).toEqual(new Set([Opcode.Binary, Opcode.Pong]));
  await goesOn(all, 2);
});

test('pings without end of one who does not read pile nothing up, and it is let go', async () => {
  const all = await show();
  const viewer = await RawViewer.open(all.wss);
  viewer.socket.pause();
  const pings = Buffer.concat(Array.from({ length: 5000 }, () => frameOf(Opcode.Ping, new Uint8Array(125))));
  let at = 0;
  const big = (id: number) => Buffer.concat([keyFrame(id), Buffer.alloc(50_000, id % 251)]);
  const sending = setInterval(() => {
    if (viewer.socket.writableLength < 1_000_000) viewer.socket.write(pings);
    at += 40;
    all.publisher.video(at, big(at));
  }, 10);
  onTestFinished(() => clearInterval(sending));
  await eventually('one viewer less', async () => (await all.viewers()) === 1);
  clearInterval(sending);
  await goesOn(all);
});

for (const scheme of ['wss', 'https'] as const) {
  test(`who never reads over ${scheme} is let go`, async () => {
    const all = await show();
    const slow = await FlvClient.open(all[scheme]);
    await slow.waitFor(keyFrame(0));
    slow.pauseReading();
    let at = 0;
    const big = (id: number) => Buffer.concat([keyFrame(id), Buffer.alloc(100_000, id % 251)]);
    const sending = setInterval(() => {
      at += 40;
      all.publisher.video(at, big(at));
    }, 10);
    onTestFinished(() => clearInterval(sending));
    await eventually('one viewer less', async () => (await all.viewers()) === 1);
    clearInterval(sending);
    await goesOn(all);
    slow.resumeReading();
    await inTime('its end', slow.ended);
  });

  test(`who ends its half of a connection over ${scheme}, or vanishes, is gone`, async () => {
    const all = await show();
    const ask = async () => {
      if (scheme === 'wss') return RawViewer.open(all.wss);
      const viewer = new RawViewer(all.https);
      viewer.socket.write(`GET ${all.path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await eventually('a stream', () => viewer.received.includes('FLV'));
      return viewer;
    };
    (await ask()).socket.end();
    (await ask()).socket.destroy();
    await goesOn(all);
  });
}

test('who begins TLS or a WebSocket and goes no further is let go', async () => {
  const all = await show();
  const { hostname, port, host } = new URL(server.https);
  const half = createConnection(Number(port), hostname).on('error', () => {});
  onTestFinished(() => void half.destroy());
  half.write(Buffer.from('160301020001000100fc', 'hex'));
  const drips = new RawViewer(server.https);
  const head = upgradeFor(all.path, host);
  let at = head.indexOf('\r\n') + 2;
  drips.socket.write(head.slice(0, at));
  const dripping = setInterval(() => {
    if (!drips.socket.writable || at >= head.length - 2) return clearInterval(dripping);
    drips.socket.write(head[at++]!);
  }, 200);
  onTestFinished(() => clearInterval(dripping));
  await inTime('the end of the first', new Promise((resolve) => half.once('close', resolve)));
  await inTime('the end of the other', drips.ended);
  expect(drips.head).not.toContain('101');
  await goesOn(all);
});

function has(viewer: RawViewer, payload: Uint8Array): boolean {
  return viewer.frames.some((frame) => frame.payload.includes(Buffer.from(payload)));
}
