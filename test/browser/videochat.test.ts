import type { Page } from 'playwright-core';
import { expect, type TestContext, test } from 'vitest';
import { useBrowser } from '../support/browser.ts';
import { connect } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';

const server = useServer({ samples: ['videochat'] });
const browser = useBrowser();

/** Before the page's own scripts: what goes to the loudspeaker can be measured. */
const EARS = `(() => {
  const ears = new Map();
  const { connect } = AudioNode.prototype;
  AudioNode.prototype.connect = function (target, ...more) {
    if (this instanceof AudioWorkletNode && target instanceof AudioDestinationNode) {
      const ear = new AnalyserNode(this.context, { fftSize: 2048 });
      connect.call(this, ear);
      ears.set(this.context, ear);
    }
    return connect.call(this, target, ...more);
  };
  globalThis.loudness = () => {
    let peak = 0;
    for (const [context, ear] of ears) {
      if (context.state !== 'running') continue;
      const samples = new Float32Array(ear.fftSize);
      ear.getFloatTimeDomainData(samples);
      for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    }
    return peak;
  };
  // How often the picture of each tile has been another.
  globalThis.pictures = {};
  const { drawImage } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.drawImage = function (image, ...more) {
    const tile = this.canvas.closest('figure')?.dataset.stream;
    if (tile) pictures[tile] = (pictures[tile] ?? 0) + 1;
    return drawImage.call(this, image, ...more);
  };
})()`;

interface Options {
  at?: string;
  camera?: boolean;
  microphone?: boolean;
  /** Before the page's own scripts. */
  script?: string;
}

async function open(context: TestContext, room: string, { at = server.http, script }: Options = {}) {
  const page = await browser.page(context, 'about:blank');
  await page.addInitScript(EARS);
  if (script) await page.addInitScript(script);
  await page.goto(`${at}/videochat/#${room}`);
  return page;
}

async function enter(context: TestContext, room: string, name: string, options: Options = {}): Promise<Page> {
  const page = await open(context, room, options);
  await page.fill('#name', name);
  if (options.camera === false) await page.uncheck('#with-camera');
  if (options.microphone === false) await page.uncheck('#with-microphone');
  await page.click('#door button');
  await page.waitForSelector('#hall:not([hidden])');
  return page;
}

/** The captions of the tiles. */
const roster = (page: Page) => page.locator('#tiles figcaption').allTextContents();
const classes = (page: Page, who: string) =>
  page.locator('figure', { hasText: who }).evaluate((tile) => tile.className);

/** Waits until there are that many more pictures of somebody than there were. */
async function sees(page: Page, who: string, more = 20): Promise<void> {
  const count = () =>
    page
      .locator('figure', { hasText: who })
      .evaluate(
        (tile) =>
          (globalThis as unknown as { pictures: Record<string, number> }).pictures[
            (tile as HTMLElement).dataset.stream!
          ] ?? 0,
      );
  const before = await count();
  await expect
    .poll(async () => (await count()) - before, { message: `pictures of ${who}` })
    .toBeGreaterThanOrEqual(more);
}

/** The microphone that is made up beeps once in a second. */
const hears = (page: Page) =>
  expect.poll(() => page.evaluate('loudness()'), { interval: 20 }).toBeGreaterThan(0.02);

test('two pages see and hear each other, a third without a camera watches, and who leaves is gone', {
  timeout: 90_000,
}, async (context) => {
  const ada = await enter(context, 'lounge', 'Ada');
  const bob = await enter(context, 'lounge', 'Bob');
  for (const [page, other] of [
    [ada, 'Bob'],
    [bob, 'Ada'],
  ] as const) {
    await page.locator('figure.seen', { hasText: other }).waitFor();
    await sees(page, other);
    await hears(page);
    expect(await page.locator('#notices').innerText()).toBe('');
  }
  await ada.locator('figure.speaking', { hasText: 'Bob' }).waitFor();

  const eve = await enter(context, 'lounge', 'Eve', { camera: false, microphone: false });
  await expect.poll(() => roster(eve)).toEqual(['Eve (you)', 'Ada', 'Bob']);
  await expect.poll(() => roster(ada)).toEqual(['Ada (you)', 'Bob', 'Eve']);
  await expect.poll(() => classes(ada, 'Eve')).toBe('muted');
  await sees(eve, 'Ada');
  await sees(eve, 'Bob');
  await hears(eve);

  await bob.click('#leave');
  await bob.waitForSelector('#door:not([hidden])');
  await expect.poll(() => roster(ada)).toEqual(['Ada (you)', 'Eve']);
  await eve.close();
  await expect.poll(() => roster(ada)).toEqual(['Ada (you)']);
  await bob.click('#door button');
  await expect.poll(() => roster(ada)).toEqual(['Ada (you)', 'Bob']);
  await sees(ada, 'Bob');
});

test('camera, microphone and screen are switched, and the others are told', {
  timeout: 90_000,
}, async (context) => {
  const ada = await enter(context, 'switch', 'Ada');
  const bob = await enter(context, 'switch', 'Bob', { camera: false, microphone: false });
  await sees(bob, 'Ada');
  await hears(bob);

  await ada.click('#camera');
  await bob.locator('figure:not(.seen)', { hasText: 'Ada' }).waitFor();
  await hears(bob);
  await ada.click('#microphone');
  await bob.locator('figure.muted', { hasText: 'Ada' }).waitFor();
  await ada.click('#microphone');
  await bob.locator('figure:not(.muted)', { hasText: 'Ada' }).waitFor();
  await hears(bob);
  await ada.click('#camera');
  await bob.locator('figure.seen', { hasText: 'Ada' }).waitFor();
  await sees(bob, 'Ada');

  // The browser shows a screen that is made up.
  const width = () => bob.locator('figure canvas').evaluate((canvas) => (canvas as HTMLCanvasElement).width);
  const narrow = await width();
  await ada.click('#screen');
  await bob.locator('figure.screen', { hasText: 'Ada: the screen' }).waitFor();
  await sees(bob, 'Ada');
  expect(await width()).toBeGreaterThan(narrow);
  await hears(bob);
  await ada.click('#screen');
  await bob.locator('figure.seen:not(.screen)', { hasText: 'Ada' }).waitFor();
  await expect.poll(width).toBe(narrow);
  await sees(bob, 'Ada');
});

test('a script that is saved and a core that is killed cost no picture; a server that is killed has all back', {
  timeout: 120_000,
}, async (context) => {
  const first = await startServer({ samples: ['videochat'] });
  const ada = await enter(context, 'kept', 'Ada', { at: first.http });
  const bob = await enter(context, 'kept', 'Bob', { at: first.http });
  await sees(ada, 'Bob');
  const bobs = () => ada.locator('figure', { hasText: 'Bob' }).getAttribute('data-stream');
  const before = await bobs();

  const from = first.log.mark;
  first.writeFile('videochat/main.ts', `${first.readFile('videochat/main.ts')}\ntrace('saved');`);
  await first.waitForLog((r) => r.instance === 'videochat/kept' && r.message.startsWith('runs new code'));
  await sees(ada, 'Bob');
  await sees(bob, 'Ada');

  const { core } = await first.instance('videochat', 'kept');
  process.kill(core!, 'SIGKILL');
  await sees(ada, 'Bob');
  await expect
    .poll(() => first.log.entries.slice(from).filter(({ message }) => message === 'saved').length)
    .toBe(2);
  await bob.click('#microphone');
  await ada.locator('figure.muted', { hasText: 'Bob' }).waitFor();
  await bob.click('#microphone');
  await hears(ada);
  expect(await bobs()).toBe(before);
  const late = await enter(context, 'kept', 'Late', { at: first.http, camera: false, microphone: false });
  await sees(late, 'Ada');
  await late.close();

  first.kill('SIGKILL');
  await first.exited;
  for (const page of [ada, bob]) await page.getByText('connecting again').waitFor();
  await startServer({ samples: ['videochat'], http: Number(new URL(first.http).port) });
  await expect.poll(() => roster(ada)).toEqual(['Ada (you)', 'Bob']);
  await sees(ada, 'Bob');
  await sees(bob, 'Ada');
  await hears(ada);
  expect(await bobs()).not.toBe(before);
});

test('a page whose connection is cut is back in its own place, and publishes again', {
  timeout: 90_000,
}, async (context) => {
  // The sockets of the page can be cut as a network does it: no close reaches the server for now.
  const script = `(() => {
    const sockets = [];
    globalThis.WebSocket = class extends WebSocket {
      constructor(...args) { super(...args); sockets.push(this); }
    };
    globalThis.cut = () => {
      const socket = sockets.at(-1);
      const { onclose } = socket;
      socket.onmessage = null;
      socket.onclose = null;
      socket.send = () => {};
      socket.close = () => {};
      onclose({ code: 1006, reason: '' });
    };
  })()`;
  const ada = await enter(context, 'cut', 'Ada', { script });
  const bob = await enter(context, 'cut', 'Bob');
  await sees(bob, 'Ada');
  await ada.evaluate('cut()');
  await expect.poll(() => server.instance('videochat', 'cut').then(({ clients }) => clients)).toBe(2);
  await expect.poll(() => roster(bob)).toEqual(['Bob (you)', 'Ada']);
  await sees(bob, 'Ada');
  await sees(ada, 'Bob');
  await hears(bob);
});

test('a room that is full says so at the door', async (context) => {
  const room = `${server.rtmp}/videochat/full`;
  for (let i = 0; i < 8; i++) await connect(room, { args: [`p${i}`] });
  const page = await open(context, 'full');
  await page.fill('#name', 'Ada');
  await page.click('#door button');
  await page.getByText('This room is full: there is room for 8.').waitFor();
  expect(await page.locator('#hall').isHidden()).toBe(true);
});

const refuse = (name: string, when = 'true') => `{
  const { mediaDevices } = navigator;
  const ask = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (wanted) => {
    if (${when}) throw new DOMException('no', '${name}');
    return ask(wanted);
  };
}`;
const faults = [
  { what: 'permission', script: refuse('NotAllowedError'), says: 'allow it beside the address' },
  { what: 'devices', script: refuse('NotFoundError'), says: 'This machine has no camera.' },
  {
    what: 'a camera',
    script: refuse('NotFoundError', 'wanted.video'),
    says: 'This machine has no camera.',
    isHeard: true,
  },
  { what: 'a device that is free', script: refuse('NotReadableError'), says: 'taken by another program' },
  {
    what: 'a way to read a camera',
    script: 'delete globalThis.MediaStreamTrackProcessor;',
    says: 'Others do not see and hear you: this browser does not let pages encode',
  },
  {
    what: 'an encoder',
    script: 'VideoEncoder.isConfigSupported = async (config) => ({ config, supported: false });',
    says: 'Others do not see and hear you: this browser has no encoder for it',
  },
];
for (const { what, script, says, isHeard = false } of faults) {
  test(`without ${what} a page says so, and watches`, { timeout: 60_000 }, async (context) => {
    const room = `without-${what.replaceAll(' ', '-')}`;
    const bob = await enter(context, room, 'Bob');
    const ada = await enter(context, room, 'Ada', { script });
    await ada.getByText(says).first().waitFor();
    await sees(ada, 'Bob');
    if (isHeard) {
      await bob.locator('figure:not(.seen):not(.muted)', { hasText: 'Ada' }).waitFor();
      await hears(bob);
    } else await expect.poll(() => classes(bob, 'Ada')).toBe('muted');
  });
}

for (const [width, scheme] of [
  [390, 'light'],
  [390, 'dark'],
  [1280, 'light'],
  [1280, 'dark'],
] as const) {
  test(`the page fits ${width} pixels, ${scheme}`, { timeout: 60_000 }, async (context) => {
    const room = `fits-${width}-${scheme}`;
    const page = await open(context, room);
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme: scheme });
    const shoot = async (name: string) => {
      const folder = process.env.STAGEWIRE_SCREENSHOTS;
      if (folder) await page.screenshot({ path: `${folder}/videochat-${name}-${width}-${scheme}.png` });
    };
    await shoot('door');
    await page.fill('#name', 'Ada');
    await page.click('#door button');
    await enter(context, room, 'Grace');
    await connect(`${server.rtmp}/videochat/${room}`, {
      args: ['Annie Easley with a long, long name'.slice(0, 32)],
    });
    await sees(page, 'Grace');
    await shoot('room');
    for (const name of ['Hedy', 'Mary', 'Karen', 'Radia', 'Joan'])
      await connect(`${server.rtmp}/videochat/${room}`, { args: [name] });
    await page.getByText('8 are here').waitFor();
    await shoot('crowd');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });
}
