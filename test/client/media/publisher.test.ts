import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { isVideoKeyFrame } from '../../../wire/media-head.ts';
import { Journal } from '../../support/journal.ts';
import { Pages } from '../../support/media-pages.ts';
import { scratchFolder } from '../../support/media-tools.ts';
import { ffmpeg } from '../../support/packets.ts';
import { connect } from '../../support/rtmp-client.ts';
import { useServer } from '../../support/server.ts';
import { requireTools } from '../../support/tools.ts';
import { type Message, mux, probeSegments } from './fmp4/sources.ts';
import { ask, until } from './stage.ts';

const pages = new Pages('test/client/media/page/main.ts');
const server = useServer({
  apps: { world: { 'app.json': JSON.stringify({ cors: ['*'], streams: { codecs: 'send' } }) } },
});
beforeEach((context) => requireTools(context, 'ffmpeg', 'ffprobe', 'chromium'));

/** A page that publishes, and what it sends. */
async function publish(what: 'devices' | 'canvas', options = {}): Promise<[Page, Journal<Message>]> {
  const messages = new Journal<Message>('the page', ({ type, timestamp }) => `${type}@${timestamp}`);
  const relay = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => {
    for (const client of relay.clients) client.terminate();
    relay.close();
  });
  relay.on('connection', (socket) => {
    socket.on('message', (frame: Buffer) => {
      messages.add({ type: frame[0]!, timestamp: frame.readUInt32BE(1), payload: frame.subarray(5) });
    });
  });
  await once(relay, 'listening');
  const page = await pages.open();
  const { port } = relay.address() as AddressInfo;
  await ask(page, 'publish', `ws://127.0.0.1:${port}/`, what, options);
  return [page, messages];
}

const sent = (messages: Journal<Message>, type: number, timestamp: number, from = 0) =>
  messages.waitFor(`${type} at ${timestamp}`, (one) => one.type === type && one.timestamp >= timestamp, from);

/** What was sent becomes an MP4 that FFmpeg decodes without a word. */
async function expectPlayable(messages: readonly Message[], kind: 'audio' | 'video', codec: string) {
  const folder = scratchFolder();
  const { segments, muxer } = mux(messages);
  expect(muxer.malformed).toBe(0);
  const packets = probeSegments(folder, segments, kind);
  expect(packets[0]!.codec).toBe(codec);
  // Pictures come when they come, not at a rate.
  const asTheyAre = ['-fps_mode', 'passthrough', '-enc_time_base', '1:1000'];
  await ffmpeg('-i', join(folder, `${kind}.mp4`), ...(kind === 'video' ? asTheyAre : []), '-f', 'null', '-');
  return packets;
}

test('camera and microphone of one page are seen and heard in another', { timeout: 60_000 }, async () => {
  const stream = await (await connect(`${server.rtmp}/world/page`)).createStream();
  await stream.publish('cam');
  const [page, messages] = await publish('devices');
  let at = 0;
  const timer = setInterval(() => {
    for (; at < messages.entries.length; at++) {
      const { type, timestamp, payload } = messages.entries[at]!;
      if (type === 9) stream.video(timestamp, payload);
      else stream.audio(timestamp, payload);
    }
  }, 10);
  onTestFinished(() => clearInterval(timer));
  const viewer = await pages.open();
  await ask(viewer, 'play', `${server.http.replace('http', 'ws')}/world/page/cam.flv`);
  const { currentTime } = await until(viewer, 'a picture', ({ shown }) => shown.length > 0);
  const { hasSound, width } = await until(viewer, 'more', (state) => state.currentTime > currentTime + 3);
  expect({ hasSound, width }).toEqual({ hasSound: true, width: 480 });

  const { publishing } = await until(page, 'its codecs', ({ publishing }) => publishing?.audioCodec !== '');
  console.log('publishing', publishing);
  expect(publishing).toMatchObject({ videoCodec: 'avc1', codes: [] });
  const soFar = [...messages.entries];
  const pictures = await expectPlayable(soFar, 'video', 'h264');
  const sound = await expectPlayable(soFar, 'audio', publishing!.audioCodec === 'Opus' ? 'opus' : 'aac');
  // The two tracks keep together.
  expect(Math.abs(pictures.at(-1)!.dtsMs - sound.at(-1)!.dtsMs)).toBeLessThan(300);
  const stamps = messages.entries.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
  expect(stamps).toEqual(stamps.toSorted((a, b) => a - b));
});

const codecs = [
  ['vp09', 'vp9'],
  ['av01', 'av1'],
  ['vp08', 'vp8'],
] as const;
for (const [fourCc, name] of codecs) {
  test(`pictures may be ${name}`, { timeout: 60_000 }, async () => {
    const [, messages] = await publish('canvas', { videoCodecs: [fourCc] });
    await sent(messages, 9, 2500);
    const packets = await expectPlayable(messages.entries, 'video', name);
    expect(packets.filter(({ isKey }) => isKey).length).toBeGreaterThan(1);
  });
}

test('a key frame comes when it is asked for, and the bit rate is what was asked for', {
  timeout: 60_000,
}, async () => {
  const options = { keyFrameEveryMs: 3_600_000, videoBitrate: 3_000_000 };
  const [page, messages] = await publish('canvas', options);
  await sent(messages, 9, 3000);
  const keys = () => messages.entries.filter(({ payload }) => isVideoKeyFrame(payload)).length;
  expect(keys()).toBe(1);
  await page.evaluate('stage.publishing.publisher.forceKeyFrame()');
  await expect.poll(keys).toBe(2);

  const bytes = (from: number, to: number) =>
    messages.entries
      .filter(({ timestamp }) => timestamp >= from && timestamp < to)
      .reduce((sum, { payload }) => sum + payload.length, 0);
  const before = bytes(1000, 3000);
  await page.evaluate('stage.publishing.publisher.setBitrate(200_000)');
  const { timestamp } = messages.entries.at(-1)!;
  await sent(messages, 9, timestamp + 4000);
  const after = bytes(timestamp + 2000, timestamp + 4000);
  console.log(`${before} bytes in two seconds, then ${after}`);
  expect(after).toBeLessThan(before / 2);
});

test('a closed publisher sends nothing more, and a codec that nobody encodes is told', {
  timeout: 60_000,
}, async () => {
  const [page, messages] = await publish('canvas');
  await sent(messages, 9, 500);
  await page.evaluate('stage.publishing.publisher.close()');
  const count = messages.entries.length;
  await page.evaluate('new Promise((resolve) => setTimeout(resolve, 300))');
  expect(messages.entries.length - count).toBeLessThan(3); // on the way
  const [other] = await publish('canvas', { videoCodecs: ['hvc1'] });
  const { publishing } = await until(other, 'a word', (state) => state.publishing!.codes.length > 0);
  expect(publishing!.codes).toEqual(['NetStream.Publish.Failed']);
});
