import type { Page } from 'playwright-core';
import { expect, type TestContext, test } from 'vitest';
import { useBrowser } from '../support/browser.ts';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const server = useServer({ samples: ['whiteboard'] });
const browser = useBrowser();

async function enter(context: TestContext, room: string, name: string, at = server.http): Promise<Page> {
  const page = await browser.page(context, `${at}/whiteboard/#${room}`);
  await page.fill('#name', name);
  await page.click('#door button');
  await page.waitForSelector('#hall:not([hidden])');
  return page;
}

/** Down, along those points of the board and up, or not yet. */
async function draw(page: Page, points: [number, number][], isUp = true): Promise<void> {
  const { x, y, width } = (await page.locator('#paper').boundingBox())!;
  const scale = width / 1600;
  for (const [i, [px, py]] of points.entries()) {
    await page.mouse.move(x + px * scale, y + py * scale);
    if (i === 0) await page.mouse.down();
  }
  if (isUp) await page.mouse.up();
}

/** The colour of that point: `red, green, blue`, or nothing where there is none. */
function colourAt(page: Page, canvas: 'kept' | 'fresh', [x, y]: [number, number]): Promise<string> {
  return page.evaluate(
    ([id, px, py]) => {
      const element = document.getElementById(id) as HTMLCanvasElement;
      const scale = element.width / 1600;
      const { data } = element.getContext('2d')!.getImageData(px * scale, py * scale, 1, 1);
      return data[3]! > 200 ? data.slice(0, 3).join() : '';
    },
    [canvas, x, y] as const,
  );
}

const RED = '221,51,51';
const BLUE = '51,119,170';
const LINE: [number, number][] = [
  [200, 300],
  [500, 300],
  [800, 300],
];

async function old(room: string, name: string, at = server.rtmp) {
  const client = await connect(`${at}/whiteboard/${room}`, { args: [name] });
  const board = await new RemoteSharedObject(client, 'board', { isPersistent: true }).connect();
  return { client, board };
}

test('two pages and an RTMP client draw together, a stroke is seen while it is drawn, and who comes late sees all', async (context) => {
  const ada = await enter(context, 'studio', 'Ada');
  const bob = await enter(context, 'studio', 'Bob');
  const flash = await old('studio', 'Flash');
  await expect.poll(() => ada.locator('#people li').allTextContents()).toEqual(['Ada', 'Bob', 'Flash']);
  await ada.click('#colours [aria-label="red"]');
  await ada.click('#widths [aria-label="thick"]');
  await draw(ada, LINE, false);
  await expect.poll(() => colourAt(bob, 'fresh', [500, 300])).toBe(RED);
  expect(await colourAt(bob, 'kept', [500, 300])).toBe('');
  await bob.locator('#pointers span', { hasText: 'Ada' }).waitFor();
  await ada.mouse.up();
  await expect.poll(() => colourAt(bob, 'kept', [500, 300])).toBe(RED);
  await expect.poll(() => colourAt(bob, 'fresh', [500, 300])).toBe('');
  await eventually('the stroke of the page', () => flash.board.data.size === 1);
  const [stroke] = flash.board.data.values() as Iterable<Record<string, unknown>>;
  expect(stroke).toMatchObject({ by: 'Ada', colour: '#d33', width: 16 });

  const points = [
    { x: 200, y: 600 },
    { x: 800, y: 600 },
  ];
  await flash.board.setAndWait('flash-1', { by: 'Flash', colour: '#37a', width: 16, points });
  const late = await enter(context, 'studio', 'Late');
  for (const page of [ada, bob, late]) {
    await expect.poll(() => colourAt(page, 'kept', [500, 600])).toBe(BLUE);
    // A page that has just been laid out draws all of it anew.
    await expect.poll(() => colourAt(page, 'kept', [500, 300])).toBe(RED);
  }

  // Back goes what is one's own; then all of it.
  await bob.keyboard.press('Control+z');
  await ada.click('#undo');
  for (const page of [ada, bob, late]) {
    await expect.poll(() => colourAt(page, 'kept', [500, 300])).toBe('');
    expect(await colourAt(page, 'kept', [500, 600])).toBe(BLUE);
  }
  await bob.click('#wipe');
  await bob.click('#sure [value="no"]');
  await bob.click('#wipe');
  await bob.click('#sure [value="yes"]');
  for (const page of [ada, bob, late]) await expect.poll(() => colourAt(page, 'kept', [500, 600])).toBe('');
  expect(flash.board.data.size).toBe(0);
  await bob.close();
  await expect.poll(() => ada.locator('#people li').allTextContents()).toEqual(['Ada', 'Flash', 'Late']);
});

test('a stroke without end is kept in pieces', { timeout: 90_000 }, async (context) => {
  const ada = await enter(context, 'long', 'Ada');
  const flash = await old('long', 'Flash');
  const rows = Array.from({ length: 560 }, (_, i): [number, number] => [
    i % 2 === 0 ? 100 : 1500,
    100 + i * 1.8,
  ]);
  await draw(ada, rows);
  await eventually('two strokes', () => flash.board.data.size === 2);
  const [first, second] = [...flash.board.data.values()] as unknown as { points: unknown[] }[];
  expect(first!.points).toHaveLength(500);
  expect(second!.points[0]).toEqual(first!.points.at(-1));
});

test('the board outlives a saved script, a core that is killed, and a server that is killed', {
  timeout: 90_000,
}, async (context) => {
  const first = await startServer({ samples: ['whiteboard'] });
  const data = first.dataFolder;
  const page = await enter(context, 'kept', 'Ada', first.http);
  await page.click('#widths [aria-label="thick"]');
  await draw(page, LINE);
  await expect.poll(() => colourAt(page, 'kept', [500, 300])).not.toBe('');
  const flash = await old('kept', 'Flash', first.rtmp);
  await eventually('the stroke', () => flash.board.data.size === 1);

  first.writeFile('whiteboard/main.ts', `${first.readFile('whiteboard/main.ts')}\ntrace('saved');`);
  await first.waitForLog((r) => r.instance === 'whiteboard/kept' && r.message.startsWith('runs new code'));
  await draw(page, [
    [200, 500],
    [800, 500],
  ]);
  await eventually('a stroke after the save', () => flash.board.data.size === 2);

  const from = first.log.mark;
  const { core } = await first.instance('whiteboard', 'kept');
  process.kill(core!, 'SIGKILL');
  await draw(page, [
    [200, 700],
    [800, 700],
  ]);
  await eventually('a stroke after the core', () => flash.board.data.size === 3);
  await first.waitForLog('saved', from);
  expect(await page.textContent('#state')).toBe('');

  first.kill('SIGKILL');
  await first.exited;
  await page.getByText('connecting again').waitFor();
  await draw(page, [
    [200, 900],
    [800, 900],
  ]);
  const port = Number(new URL(first.http).port);
  const second = await startServer({ samples: ['whiteboard'], http: port, data });
  const back = await old('kept', 'Flash', second.rtmp);
  await eventually('what was drawn meanwhile', () => back.board.data.size === 4);
  for (const y of [300, 500, 700, 900])
    expect(await colourAt(page, 'kept', [500, y]), String(y)).not.toBe('');
});

for (const [width, scheme] of [
  [390, 'light'],
  [1280, 'dark'],
  [1280, 'light'],
  [390, 'dark'],
] as const) {
  test(`the page fits ${width} pixels, ${scheme}, and is sharp on a screen of two pixels for one`, async (context) => {
    const room = `bridge-${width}-${scheme}`;
    const page = await enter(context, room, 'Ada');
    await page.emulateMedia({ colorScheme: scheme });
    const session = await page.context().newCDPSession(page);
    await session.send('Emulation.setDeviceMetricsOverride', {
      width,
      height: 800,
      deviceScaleFactor: 2,
      mobile: false,
    });
    const paper = () => page.evaluate(() => document.getElementById('paper')!.getBoundingClientRect().width);
    const pixels = () => page.evaluate(() => (document.getElementById('kept') as HTMLCanvasElement).width);
    await expect.poll(async () => (await pixels()) - Math.round((await paper()) * 2)).toBe(0);
    await page.setViewportSize({ width, height: 800 });
    await paint(room, page);
    const folder = process.env.STAGEWIRE_SCREENSHOTS;
    if (folder) await page.screenshot({ path: `${folder}/whiteboard-${width}-${scheme}.png` });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });
}

/** A bridge, a sun, and two who look at it. */
async function paint(room: string, page: Page): Promise<void> {
  const grace = await old(room, 'Grace');
  const annie = await old(room, 'Annie');
  const arc = (cx: number, cy: number, r: number, from: number, to: number) =>
    Array.from({ length: 60 }, (_, i) => {
      const angle = from + ((to - from) * i) / 59;
      return { x: cx + r * Math.cos(angle), y: cy + r * Math.sin(angle) };
    });
  const line = (...points: [number, number][]) => points.map(([x, y]) => ({ x, y }));
  const by = (name: string, colour: string, width: number, points: { x: number; y: number }[]) => ({
    by: name,
    colour,
    width,
    points,
  });
  let n = 0;
  const add = (stroke: ReturnType<typeof by>) =>
    (stroke.by === 'Grace' ? grace : annie).board.setAndWait(`s${n++}`, stroke);
  await add(by('Grace', '#c70', 7, arc(1280, 240, 110, 0, 2 * Math.PI)));
  for (let i = 0; i < 12; i++) {
    const [c, s] = [Math.cos((i * Math.PI) / 6), Math.sin((i * Math.PI) / 6)];
    await add(by('Grace', '#c70', 7, line([1280 + 135 * c, 240 + 135 * s], [1280 + 190 * c, 240 + 190 * s])));
  }
  await add(by('Annie', '#37a', 16, line([80, 760], [1520, 760])));
  for (const x of [380, 1100]) await add(by('Annie', '#d33', 16, line([x, 950], [x, 420])));
  await add(by('Annie', '#d33', 7, arc(740, 330, 371, 2.9, 0.24)));
  for (let x = 452; x < 1100; x += 72) {
    const y = 330 + Math.sqrt(371 ** 2 - (x - 740) ** 2);
    await add(by('Annie', '#849', 3, line([x, y], [x, 760])));
  }
  const wave = Array.from({ length: 200 }, (_, i) => ({ x: 80 + i * 7.2, y: 1020 + 25 * Math.sin(i / 6) }));
  await add(by('Grace', '#088', 7, wave));
  grace.board.change({ send: ['pointer', 'Grace', 1380, 420] });
  annie.board.change({ send: ['pointer', 'Annie', 560, 520] });
  await page.locator('#pointers span', { hasText: 'Annie' }).waitFor();
}
