import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, type TestContext, test } from 'vitest';
import { encodeFlvTagHeader } from '../../../wire/flv.ts';
import { useBrowser } from '../../support/browser.ts';
import { makeClip, publishFile, scratchFolder } from '../../support/media-tools.ts';
import { type Tag, tagsOf } from '../../support/recorded.ts';
import { useServer } from '../../support/server.ts';
import { requireTools } from '../../support/tools.ts';

/** Recordings in a page: all of them is shown, from the beginning or the place that was sought, to the end. */
const html = `<!doctype html><video id="video" muted playsinline></video><canvas id="canvas"></canvas>
<script type="module">
  import { NetConnection, NetStream } from '/client.js';
  import { attachVideo } from '/media.js';
  import { attachCanvas } from '/low-latency.js';
  const connection = new NetConnection();
  await connection.connect('/world/room');
  globalThis.codes = [];
  globalThis.another = () => {
    const stream = new NetStream(connection);
    stream.onStatus = ({ code }) => codes.push(code);
    return stream;
  };
  globalThis.stream = another();
  // Times of the pictures that the element has shown of its present source.
  const pictures = (globalThis.pictures = []);
  globalThis.shownInAll = 0;
  video.addEventListener('loadstart', () => void (pictures.length = 0));
  const shown = (_now, { mediaTime }) => {
    pictures.push(mediaTime);
    shownInAll++;
    video.requestVideoFrameCallback(shown);
  };
  video.requestVideoFrameCallback(shown);
  globalThis.show = (name, how) => {
    globalThis.player = how === 'canvas' ? attachCanvas(stream, canvas) : attachVideo(stream, video);
    stream.play(name, 0);
  };
</script>`;
const server = useServer({ apps: { world: { 'public/index.html': html } } });
const browser = useBrowser();

/** A page, and a recording of so many seconds for it. */
async function open(context: TestContext, seconds: number): Promise<Page> {
  requireTools(context, 'ffmpeg');
  const folder = join(server.appsFolder, 'world/streams/room');
  mkdirSync(folder, { recursive: true });
  copyFileSync(await makeClip(scratchFolder(), seconds), join(folder, `clip${seconds}.flv`));
  const page = await browser.page(context, `${server.http}/world/`);
  await page.waitForFunction('globalThis.show !== undefined');
  return page;
}

const FLV_HEAD = Buffer.from('464c5601050000000900000000', 'hex');
const isSound = ({ type }: Tag) => type === 8;
const isHeader = ({ payload }: Tag) => payload[1] === 0;

/** Of its present source: from when the element has shown pictures, until when it has played, in seconds. It is at its end then. */
async function shownToTheEnd(page: Page): Promise<{ from: number; to: number }> {
  await expect.poll(() => page.evaluate('video.ended'), { timeout: 40_000 }).toBe(true);
  return (await page.evaluate('({ from: pictures[0], to: video.currentTime })')) as {
    from: number;
    to: number;
  };
}

for (const seconds of [1, 4]) {
  test(`a recording of ${seconds} s is shown from its beginning to its end, at its own pace`, {
    timeout: 90_000,
  }, async (context) => {
    const page = await open(context, seconds);
    await page.evaluate(`show('clip${seconds}')`);
    const { from, to } = await shownToTheEnd(page);
    expect(Math.abs(to - from - seconds)).toBeLessThan(0.4);
    expect(await page.evaluate('[player.stats.jumps, video.playbackRate, video.error]')).toEqual([
      0,
      1,
      null,
    ]);
    expect(await page.evaluate('stream.time')).toBeGreaterThan(seconds - 0.2);
    const codes = (await page.evaluate('codes')) as string[];
    const order = ['NetStream.Play.Stop', 'NetStream.Buffer.Full', 'NetStream.Buffer.Empty'];
    for (const code of order) expect(codes).toContain(code);
  });
}

test('what was sought is shown from there to the end, however little is left', {
  timeout: 90_000,
}, async (context) => {
  const page = await open(context, 6);
  await page.evaluate("show('clip6')");
  await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(0.2);
  for (const place of [2, 5]) {
    await page.evaluate(`void (codes.length = 0, stream.seek(${place}))`);
    await expect.poll(() => page.evaluate('codes')).toContain('NetStream.Seek.Notify');
    const { from, to } = await shownToTheEnd(page);
    // From the key frame before it.
    expect(to - from).toBeGreaterThan(6 - place - 0.4);
    expect(to - from).toBeLessThan(6 - place + 0.65);
    expect(await page.evaluate('stream.time')).toBeGreaterThan(5.8);
  }
});

test('a paused recording shows the picture that is sought, and goes on from there', {
  timeout: 90_000,
}, async (context) => {
  const page = await open(context, 5);
  await page.evaluate("show('clip5')");
  await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(0.2);
  await page.evaluate('stream.pause()');
  await expect.poll(() => page.evaluate('codes')).toContain('NetStream.Pause.Notify');
  await page.evaluate('stream.seek(3)');
  await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(2.4);
  await expect.poll(() => page.evaluate('video.readyState')).toBeGreaterThanOrEqual(2);
  expect(await page.evaluate('video.paused')).toBe(true);
  await page.evaluate('stream.resume()');
  const { to, from } = await shownToTheEnd(page);
  expect(to - from).toBeGreaterThan(1.6);
  expect(to - from).toBeLessThan(2.65);
});

test('a canvas shows a recording from its beginning, and its time ends with it', {
  timeout: 90_000,
}, async (context) => {
  const page = await open(context, 3);
  const first = await page.evaluate(`new Promise((resolve) => {
    const look = () => (stream.time > 0 ? resolve(stream.time) : requestAnimationFrame(look));
    show('clip3', 'canvas');
    look();
  })`);
  // Much of it comes at once, and a busy machine takes a moment.
  expect(first).toBeLessThan(1.5);
  await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(2.8);
  expect(await page.evaluate('player.stats.jumps')).toBe(0);
  const time = await page.evaluate('stream.time');
  await page.waitForTimeout(500);
  expect(await page.evaluate('stream.time')).toBeLessThan(3.2);
  expect(time).toBeLessThan(3.2);
});

for (const [what, isLoud] of [
  ['with sound', true],
  ['without sound', false],
] as const) {
  test(`a recording on a canvas, ${what}, stands still while it is paused`, {
    timeout: 90_000,
  }, async (context) => {
    const page = await open(context, 5);
    writeChanged('silent', 5, (tags) => tags.filter((tag) => !isSound(tag)));
    await page.evaluate(`show('${isLoud ? 'clip5' : 'silent'}', 'canvas')`);
    await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(0.5);
    await page.evaluate('stream.pause()');
    await page.waitForTimeout(300);
    const at = (await page.evaluate('stream.time')) as number;
    await page.waitForTimeout(1500);
    expect(Math.abs(((await page.evaluate('stream.time')) as number) - at)).toBeLessThan(0.1);
    // It goes on from there, and at its own pace.
    const [seconds, passed] = (await page.evaluate(`new Promise((resolve) => {
      const from = performance.now();
      stream.resume();
      setTimeout(() => resolve([stream.time, (performance.now() - from) / 1000]), 500);
    })`)) as [number, number];
    expect(seconds - at).toBeLessThan(passed + 0.4);
    await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(4.7);
    expect(await page.evaluate('player.stats.jumps')).toBe(0);
    // What is sought while it is paused is shown.
    await page.evaluate('void (stream.pause(), stream.seek(2))');
    await expect.poll(() => page.evaluate('stream.time > 1.4 && stream.time < 2.5')).toBe(true);
    await expect.poll(() => page.evaluate('player.stats.decodedFrames')).toBe(1);
  });
}

for (const how of ['video', 'canvas']) {
  test(`${how}: a live stream that follows a recording in a list is shown as it comes, once that has been shown`, {
    timeout: 120_000,
  }, async (context) => {
    const page = await open(context, 4);
    const publisher = publishFile(await makeClip(scratchFolder(), 90), `${server.rtmp}/world/room/cam`);
    await page.evaluate(`void (show('clip4', '${how}'), stream.play('cam', -1, -1, false))`);
    for (const isRecorded of [true, false])
      await expect
        .poll(() => page.evaluate('stream.isRecorded'), { timeout: 40_000, interval: 20 })
        .toBe(isRecorded);
    expect(await page.evaluate('stream.time')).toBeLessThan(4);
    const isOnTime = 'stream.time > 0 && player.stats.delayMs > 0 && player.stats.delayMs < 1000';
    await expect.poll(() => page.evaluate(isOnTime), { timeout: 40_000 }).toBe(true);
    if (how === 'video') {
      const times = (await page.evaluate('pictures')) as number[];
      const recorded = times.filter((time) => time < times[0]! + 4);
      expect(Math.max(...recorded) - times[0]!).toBeGreaterThan(3.2);
    }
    // One after the other, and back: nothing of the one is taken for the other.
    for (const [name, isRecorded] of [
      ['cam', false],
      ['clip4', true],
      ['cam', false],
    ] as const) {
      await page.evaluate(`stream.play('${name}')`);
      await expect.poll(() => page.evaluate('stream.time > 0 && player.stats.decodedFrames > 10')).toBe(true);
      expect(await page.evaluate('stream.isRecorded')).toBe(isRecorded);
      if (!isRecorded) await expect.poll(() => page.evaluate(isOnTime)).toBe(true);
    }
    expect(await page.evaluate('stream.time')).toBeGreaterThan(0);
    publisher.stop();
  });
}

test('what had been sent ahead when a recording was paused is not shown twice', {
  timeout: 90_000,
}, async (context) => {
  const page = await open(context, 5);
  for (const how of ['video', 'canvas']) {
    await page.evaluate(`void (codes.length = 0, show('clip5', '${how}'))`);
    await expect.poll(() => page.evaluate('stream.time > 0.5 && stream.time < 5')).toBe(true);
    await page.evaluate('stream.pause()');
    await expect.poll(() => page.evaluate('codes')).toContain('NetStream.Pause.Notify');
    await page.evaluate('stream.resume()');
    await expect.poll(() => page.evaluate('codes')).toContain('NetStream.Unpause.Notify');
    await expect.poll(() => page.evaluate('stream.time > 0.1 && stream.time < 5')).toBe(true);
    // From then on it only goes forward.
    const goesBack = (await page.evaluate(`new Promise((resolve) => {
      let most = 0;
      let back = 0;
      const look = () => {
        back = Math.max(back, most - stream.time);
        most = Math.max(most, stream.time);
        if (most > 4.7) resolve(back);
        else setTimeout(look, 20);
      };
      look();
    })`)) as number;
    expect(goesBack).toBeLessThan(0.3);
    await page.evaluate('player.close()');
  }
});

test('an element that is given to another stream shows that one alone', {
  timeout: 90_000,
}, async (context) => {
  const page = await open(context, 4);
  await page.evaluate("show('clip4')");
  await expect.poll(() => page.evaluate('stream.time')).toBeGreaterThan(0.2);
  await page.evaluate("void (globalThis.stream = another(), show('clip4'))");
  const { to, from } = await shownToTheEnd(page);
  expect(Math.abs(to - from - 4)).toBeLessThan(0.4);
  const codes = (await page.evaluate('codes')) as string[];
  expect(codes).not.toContain('NetStream.Play.Failed');
  expect(codes.filter((code) => code === 'NetStream.Buffer.Full')).toHaveLength(2);
});

/** The clip of that length after `change`, as another recording. */
function writeChanged(name: string, seconds: number, change: (tags: Tag[]) => Tag[]): void {
  const folder = join(server.appsFolder, 'world/streams/room');
  const tags = tagsOf(join(folder, `clip${seconds}.flv`)).filter(({ type }) => type !== 18);
  const bytes = change(tags).flatMap(({ type, timestamp, payload }) => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(11 + payload.length);
    return [encodeFlvTagHeader(type, payload.length, timestamp), payload, size];
  });
  writeFileSync(join(folder, `${name}.flv`), Buffer.concat([FLV_HEAD, ...bytes]));
}

for (const gapMs of [40, 200, 3000]) {
  test(`a hole of ${gapMs} ms, as what was appended later has it, is passed`, {
    timeout: 90_000,
  }, async (context) => {
    const page = await open(context, 4);
    writeChanged('hole', 4, (tags) => {
      const end = Math.max(...tags.map(({ timestamp }) => timestamp)) + gapMs;
      return [...tags, ...tags.map((tag) => ({ ...tag, timestamp: tag.timestamp + end }))];
    });
    await page.evaluate("show('hole')");
    const { to, from } = await shownToTheEnd(page);
    expect(Math.abs(to - from - 8 - gapMs / 1000)).toBeLessThan(0.5);
    // Of 160; a hole costs no more than the second behind it.
    expect(await page.evaluate('pictures.length')).toBeGreaterThan(120);
  });
}

for (const [what, isKept] of [
  ['ends', ({ timestamp }: Tag) => timestamp < 2000],
  ['begins', ({ timestamp }: Tag) => timestamp > 3000],
] as const) {
  test(`pictures are shown whole where the sound ${what} somewhere else`, {
    timeout: 90_000,
  }, async (context) => {
    const page = await open(context, 9);
    writeChanged('sound', 9, (tags) => tags.filter((tag) => !isSound(tag) || isHeader(tag) || isKept(tag)));
    await page.evaluate("show('sound')");
    await shownToTheEnd(page);
    expect(await page.evaluate('video.currentTime')).toBeGreaterThan(18.5);
    // Of 180, before and behind the place where it gets other tracks.
    expect(await page.evaluate('shownInAll')).toBeGreaterThan(150);
  });
}

test('a recording of 16 s ends, though what was shown is forgotten meanwhile', {
  timeout: 90_000,
}, async (context) => {
  const page = await open(context, 16);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.evaluate("show('clip16')");
  const { to } = await shownToTheEnd(page);
  expect(to).toBeGreaterThan(25.7);
  expect(errors).toEqual([]);
});
