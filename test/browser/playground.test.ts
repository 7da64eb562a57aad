import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, type TestContext, test } from 'vitest';
import { useBrowser } from '../support/browser.ts';
import { launchChromium } from '../support/chromium.ts';
import { eventually } from '../support/journal.ts';
import { makeClip, publishFile, scratchFolder } from '../support/media-tools.ts';
import { connect } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';
import { requireTools } from '../support/tools.ts';

declare global {
  interface Window {
    /** Slots that were shown to have been changed by others. */
    flashed: string[];
  }
}

const script = `
  application.onConnect = (client, name) => {
    if (name !== 'nobody') return true;
    application.rejectConnection(client, 'Nobody may come in.', { but: 'somebody may' });
    return false;
  };
  Object.assign(Client.prototype, {
    add: (a, b) => a + b,
    odd: () => ({ at: new Date(0), bytes: new Uint8Array([1, 255]), map: new Map([['a', NaN]]), no: undefined }),
    fail() { throw new RpcError('E_WHY', 'because'); },
    ask(method, ...args) { return this.invoke(method, ...args); },
    forge(element) {
      element.constructor = undefined;
      this.call('onStatus', null, { level: 'status', code: element, description: element });
      this.call('<h1 id=forged>', null, element);
    },
    flood(count) { for (let i = 0; i < count; i++) this.call('drop', null, i); },
  });`;
const blank = '<!doctype html><title>blank</title><link rel="icon" href="data:,">';
const server = useServer({ apps: { stage: { 'main.ts': script, 'public/index.html': blank } } });
const browser = useBrowser();

/** The playground of a server; it must break none of its own rules. */
async function open(context: TestContext, url = server.http, hash = ''): Promise<Page> {
  const page = await browser.page(context, 'about:blank');
  watch(page);
  await page.goto(`${url}/${hash}`);
  return page;
}

function watch(page: Page): void {
  const broken: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) broken.push(message.text());
  });
  page.on('pageerror', (error) => broken.push(error.message));
  onTestFinished(() => expect(broken).toEqual([]));
}

/** The playground, connected. */
async function enter(context: TestContext, instance: string): Promise<Page> {
  const page = await open(context, server.http, `#/stage/${instance}`);
  await join(page);
  return page;
}

async function join(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.locator('.pill.is-connected').waitFor();
}

async function call(page: Page, method: string, args: string): Promise<void> {
  await page.getByLabel('Method').fill(method);
  await page.locator('#panel-calls').getByLabel('Arguments').fill(args);
  await page.getByRole('button', { name: 'Call', exact: true }).click();
}

const chooseTab = (page: Page, name: string) => page.getByRole('tab', { name }).click();
const lastCall = (page: Page) => page.locator('#panel-calls .log li').first();
const incoming = (page: Page) => page.locator('.incoming .log li');

test('it lists applications and instances as they come, with who is there', async (context) => {
  const page = await open(context);
  const list = page.getByRole('navigation', { name: 'Applications' });
  await list.getByRole('button', { name: 'stage' }).waitFor();
  await connect(`${server.rtmp}/stage/green`);
  const green = list.getByRole('button', { name: /green/ });
  await expect.poll(() => green.locator('.count').textContent()).toBe('1');
  server.writeFile('another/main.ts', '');
  await list.getByRole('button', { name: 'another' }).waitFor();
  await green.click();
  expect(await page.getByLabel('Application', { exact: true }).inputValue()).toBe('stage');
  expect(await page.getByLabel('Instance', { exact: true }).inputValue()).toBe('green');
});

test('without applications it says how one is made, and shows it when it is', async (context) => {
  const empty = await startServer();
  const page = await open(context, empty.http);
  const teaching = page.locator('.first');
  await teaching.waitFor();
  const folder = (await teaching.locator('p code').first().textContent())!;
  const lines = (await teaching.locator('pre').textContent())!;
  expect([folder, lines.trim().split('\n').length]).toEqual([`${empty.appsFolder}/hello`, 3]);
  empty.writeFile('hello/main.js', lines);
  await page.getByRole('button', { name: 'hello' }).click();
  await join(page);
  await call(page, 'add', '2, 3');
  await expect.poll(() => lastCall(page).locator('pre').textContent()).toBe('5');
});

test('it calls the application: answers, what JSON lacks, and errors', async (context) => {
  const page = await enter(context, 'calls');
  await call(page, 'add', '2, 3');
  await expect.poll(() => lastCall(page).textContent()).toMatch(/^add\(2, 3\)[\d.]+ ms5$/);
  await call(page, 'odd', '');
  await expect.poll(() => lastCall(page).locator('pre').textContent()).toContain('Uint8Array(2) [1, 255]');
  const text = (await lastCall(page).locator('pre').textContent())!;
  for (const part of ["at: new Date('1970-01-01T00:00:00.000Z')", "Map(1) { 'a' => NaN }", 'no: undefined'])
    expect(text).toContain(part);
  await call(page, 'fail', '');
  await expect.poll(() => lastCall(page).locator('.failed').textContent()).toBe('E_WHY because');
  await call(page, 'nothing', '');
  await expect.poll(() => lastCall(page).locator('.failed').textContent()).toContain('Method not found');
});

test('JSON that is none is told beside the field, and nothing is sent', async (context) => {
  const page = await enter(context, 'json');
  await page.getByLabel('Method').fill('add');
  const args = page.locator('#panel-calls').getByLabel('Arguments');
  await args.fill('2, three');
  await page.getByText('Texts are written in double quotes: "three".').waitFor();
  expect(await args.getAttribute('aria-invalid')).toBe('true');
  expect(await page.getByRole('button', { name: 'Call', exact: true }).isDisabled()).toBe(true);
  await args.press('Enter');
  await args.fill('2, 3');
  await args.press('Enter');
  await expect.poll(() => page.locator('#panel-calls .log li').count()).toBe(1);
});

test('calls of the application are shown and answered, the newest first, and not more than it can bear', async (context) => {
  const page = await enter(context, 'incoming');
  await page.getByText('Answer calls').click();
  await page.getByLabel('answered with').fill('{"ok": [1, 2]}');
  await call(page, 'ask', '"question", "who?", {"deep": [1]}');
  await expect.poll(() => lastCall(page).locator('pre').textContent()).toBe('{ ok: [1, 2] }');
  await expect.poll(() => incoming(page).first().textContent()).toContain("question('who?', { deep: [1] })");
  await call(page, 'flood', '3000');
  await expect.poll(() => incoming(page).first().textContent()).toContain('drop(2999)');
  expect(await incoming(page).count()).toBe(200);
  await call(page, 'add', '1, 1');
  await expect.poll(() => lastCall(page).locator('pre').textContent()).toBe('2');
});

test('a refusal is told with all that the application said', async (context) => {
  const page = await open(context, server.http, '#/stage/refused');
  await page.getByLabel('Arguments for onConnect').fill('"nobody"');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  const alert = page.locator('.door .banner');
  await alert.waitFor();
  for (const part of ['NetConnection.Connect.Rejected', 'Nobody may come in.', "{ but: 'somebody may' }"])
    expect(await alert.textContent()).toContain(part);
  await page.getByLabel('Arguments for onConnect').fill('"somebody"');
  await join(page);
  expect(await alert.count()).toBe(0);
});

test('whatever is sent, the page shows it as text', async (context) => {
  const page = await enter(context, 'hostile');
  // To Preact an element is an object like this one.
  const element = '{"type": "h1", "props": {"id": "forged"}}';
  await call(page, 'forge', element);
  const text = "props: { id: 'forged' }";
  await expect.poll(() => page.locator('.incoming .is-status').first().textContent()).toContain(text);
  await expect.poll(() => incoming(page).first().textContent()).toContain('<h1 id=forged>(');
  await call(page, 'add', '"<h1 id=forged>", "</h1>"');
  await expect.poll(() => lastCall(page).locator('pre').textContent()).toBe("'<h1 id=forged></h1>'");
  expect(await page.locator('#forged').count()).toBe(0);
});

test('a shared object that is edited in the page is everybody’s, and back', async (context) => {
  const page = await enter(context, 'share');
  const old = await new RemoteSharedObject(await connect(`${server.rtmp}/stage/share`), 'board').connect();
  await chooseTab(page, 'Shared object');
  const panel = page.locator('#panel-share');
  await panel.getByLabel('Name').fill('board');
  await panel.getByRole('button', { name: 'Open' }).click();
  await panel.getByText('It has no slots.').waitFor();
  await panel.getByLabel('New slot').fill('topic');
  await panel.getByLabel('Value', { exact: true }).fill('{"title": "bridges"}');
  await panel.getByRole('button', { name: 'Add' }).click();
  await old.holds({ topic: { title: 'bridges' } });

  await page.evaluate(() => {
    window.flashed = [];
    const { animate } = Element.prototype;
    Element.prototype.animate = function (...how) {
      window.flashed.push(this.querySelector('th')!.textContent!);
      return animate.apply(this, how);
    };
  });
  old.set('score', 3);
  const score = panel.locator('tr', { hasText: 'score' });
  await expect.poll(() => score.locator('.value').textContent()).toBe('3');
  await score.locator('.value').click();
  await panel.getByLabel('Value of score').fill('4');
  await panel.getByLabel('Value of score').press('Enter');
  await old.holds({ topic: { title: 'bridges' }, score: 4 });
  old.set('score', new Date(0));
  await expect.poll(() => score.locator('.value').textContent()).toContain('new Date(');
  // The two changes by the other one, and not its own.
  await expect.poll(() => page.evaluate(() => window.flashed)).toEqual(['score', 'score']);

  await panel.getByRole('button', { name: 'Delete topic' }).click();
  await old.holds({ score: new Date(0) });
  await panel.getByLabel('Send to everybody').fill('ping');
  await panel.getByLabel('Arguments').fill('1, "two"');
  await panel.getByRole('button', { name: 'Send' }).click();
  await expect.poll(() => incoming(page).first().textContent()).toContain("ping(1, 'two')");
});

test('it plays what ffmpeg publishes', { timeout: 90_000 }, async (context) => {
  requireTools(context, 'ffmpeg');
  const page = await enter(context, 'play');
  await chooseTab(page, 'Play');
  const publisher = publishFile(await makeClip(scratchFolder(), 60), `${server.rtmp}/stage/play/demo`);
  const chip = page.locator('#panel-play .chip', { hasText: 'demo' });
  await expect.poll(() => chip.textContent()).toContain('H.264 · AAC');
  await chip.click();
  const frames = () =>
    page.evaluate(
      () =>
        document.querySelector<HTMLVideoElement>('#panel-play video')!.getVideoPlaybackQuality()
          .totalVideoFrames,
    );
  await expect.poll(frames).toBeGreaterThan(40);
  await expect.poll(() => page.locator('#panel-play .figures').textContent()).toContain('320×240');
  // It goes on behind another panel.
  await chooseTab(page, 'Calls');
  const before = await frames();
  await expect.poll(frames).toBeGreaterThan(before + 10);
  publisher.stop();
  await chooseTab(page, 'Play');
  await expect.poll(() => page.locator('#panel-play figcaption').textContent()).toBe('off air');
});

test('it plays, and pauses, what is recorded', { timeout: 90_000 }, async (context) => {
  requireTools(context, 'ffmpeg');
  const clip = await makeClip(scratchFolder(), 20);
  server.writeFile('stage/streams/shelf/show.flv', readFileSync(clip));
  const page = await enter(context, 'shelf');
  await chooseTab(page, 'Play');
  const panel = page.locator('#panel-play');
  await panel.locator('.chip', { hasText: 'recorded' }).click();
  const time = () =>
    page.evaluate(() => document.querySelector<HTMLVideoElement>('#panel-play video')!.currentTime);
  await expect.poll(time).toBeGreaterThan(1);
  await panel.getByRole('button', { name: 'Pause' }).click();
  await expect.poll(() => incoming(page).first().textContent()).toContain('NetStream.Pause.Notify');
  const paused = await time();
  await panel.getByRole('button', { name: 'Resume' }).click();
  await expect.poll(time).toBeGreaterThan(paused + 1);

  const position = panel.getByLabel('Position');
  await expect.poll(() => panel.locator('.seek').textContent()).toMatch(/0:\d\d0:20$/);
  await position.fill('15');
  await expect
    .poll(() => incoming(page).allTextContents())
    .toContainEqual(expect.stringContaining('NetStream.Seek.Notify'));
  await expect.poll(async () => Number(await position.inputValue())).toBeGreaterThan(15.5);
  expect(Number(await position.inputValue())).toBeLessThanOrEqual(20.1);
});

test('what is live plays with low latency, too, and cannot be sought', {
  timeout: 90_000,
}, async (context) => {
  requireTools(context, 'ffmpeg');
  const page = await enter(context, 'fast');
  await chooseTab(page, 'Play');
  const panel = page.locator('#panel-play');
  const publisher = publishFile(await makeClip(scratchFolder(), 60), `${server.rtmp}/stage/fast/demo`);
  await panel.locator('.chip', { hasText: 'demo' }).click();
  await expect.poll(() => panel.locator('figcaption').textContent()).toBe('playing');
  expect(await panel.locator('canvas').isVisible()).toBe(false);
  await panel.getByLabel('low latency').check();
  await expect.poll(() => panel.locator('canvas').isVisible()).toBe(true);
  expect(await panel.locator('video').isVisible()).toBe(false);
  await expect.poll(() => panel.locator('.figures').textContent()).toMatch(/Delay\d+ ms.*320×240/);
  await expect.poll(() => panel.locator('figcaption').textContent()).toBe('playing');
  expect(await panel.locator('.banner').count()).toBe(0);
  expect(await panel.locator('.seek').count()).toBe(0);
  await panel.getByLabel('low latency').uncheck();
  await expect.poll(() => panel.locator('video').isVisible()).toBe(true);
  publisher.stop();
});

test('it publishes the camera, which an RTMP client sees', { timeout: 90_000 }, async (context) => {
  const page = await enter(context, 'publish');
  await chooseTab(page, 'Publish');
  const panel = page.locator('#panel-publish');
  await panel.getByLabel('Stream').fill('cam');
  await panel.getByRole('button', { name: 'Publish', exact: true }).click();
  await expect.poll(() => panel.locator('figcaption').textContent()).toBe('on air');
  const old = await (
    await connect(`${server.rtmp}/stage/publish`, { properties: { fourCcList: ['*'] } })
  ).createStream();
  await old.play('cam');
  for (const type of [8, 9])
    await expect.poll(() => old.media.filter((message) => message.type === type).length).toBeGreaterThan(10);
  await expect.poll(() => panel.locator('.figures').textContent()).toMatch(/H\.264.*AAC/);
  await panel.getByRole('button', { name: 'Stop' }).click();
  await eventually('the stream to be off air', async () => {
    const { streams } = await server.instance('stage', 'publish');
    return streams.every(({ source }) => source === null);
  });
});

/** What each panel gives to copy, run in a page that has nothing else; returns what that page prints. */
const snippets = [
  {
    name: 'a call',
    tab: 'Calls',
    prepare: async (page: Page) => {
      await page.getByLabel('Method').fill('add');
      await page.locator('#panel-calls').getByLabel('Arguments').fill('2, 3');
    },
    prints: '5',
  },
  {
    name: 'a shared object',
    tab: 'Shared object',
    prepare: async (page: Page) => {
      const panel = page.locator('#panel-share');
      await panel.getByLabel('Name').fill('board');
      await panel.getByRole('button', { name: 'Open' }).click();
      await panel.getByLabel('New slot').fill("it's");
      await panel.getByLabel('Value', { exact: true }).fill('[1, {"__proto__": 2}]');
      await panel.getByRole('button', { name: 'Add' }).click();
    },
    prints: "{it's: Array(2)}",
  },
  {
    name: 'playing',
    tab: 'Play',
    prepare: (page: Page) => page.locator('#panel-play').getByLabel('Stream').fill('none'),
    prints: 'NetStream.Play.Start',
  },
  {
    name: 'playing with low latency',
    tab: 'Play',
    prepare: async (page: Page) => {
      await page.locator('#panel-play').getByLabel('Stream').fill('none');
      await page.locator('#panel-play').getByLabel('low latency').check();
    },
    prints: 'NetStream.Play.Start',
  },
  {
    name: 'publishing',
    tab: 'Publish',
    prepare: (page: Page) => page.locator('#panel-publish').getByLabel('Stream').fill('mine'),
    prints: 'NetStream.Publish.Start',
  },
] as const;
for (const { name, tab, prepare, prints } of snippets) {
  test(`the code to copy for ${name} runs in a blank page`, async (context) => {
    const page = await enter(context, 'snippets');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await chooseTab(page, tab);
    await prepare(page);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const code = await page.evaluate(() => navigator.clipboard.readText());
    expect(code).toContain("await connection.connect('/stage/snippets')");
    await page.goto(`${server.http}/stage/`);
    const printed: string[] = [];
    page.on('console', (message) => printed.push(message.text()));
    await page.addScriptTag({ type: 'module', content: code });
    await expect.poll(() => printed.join('\n')).toContain(prints);
  });
}

test('from elsewhere it says that the list is not told, takes names, and shows it for the token', async (context) => {
  const page = await open(context);
  const token = 'a-token-of-24-characters';
  const own = await startServer({ adminToken: token, apps: { stage: { 'main.ts': script } } });
  await page.close();
  // To the server it is as from elsewhere: the name is not one of this machine.
  const other = await launchChromium('--host-resolver-rules=MAP stagewire.test 127.0.0.1');
  onTestFinished(() => other.close());
  const away = await other.newPage();
  watch(away);
  await away.goto(`${own.http.replace('127.0.0.1', 'stagewire.test')}/`);
  await away.getByText('This server does not tell you what it has').waitFor();
  await away.getByLabel('Application', { exact: true }).fill('stage');
  await join(away);
  await call(away, 'add', '2, 3');
  await expect.poll(() => lastCall(away).locator('pre').textContent()).toBe('5');

  await away.getByLabel('Token').fill(`${token}x`);
  await away.getByRole('button', { name: 'Show what there is' }).click();
  await away.getByText('the token is wrong').waitFor();
  await away.getByLabel('Token').fill(token);
  await away.getByRole('button', { name: 'Show what there is' }).click();
  await away.getByRole('button', { name: /_definst_/ }).waitFor();
  const kept = await away.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
  );
  expect(kept).toBe('[{},{},""]');
  await away.reload();
  await away.getByText('This server does not tell you what it has').waitFor();
});

test('a lost connection is told, and comes back with the shared object', {
  timeout: 90_000,
}, async (context) => {
  const apps = { stage: { 'main.ts': script } };
  const first = await startServer({ apps });
  const page = await open(context, first.http, '#/stage/room');
  await join(page);
  await chooseTab(page, 'Shared object');
  const panel = page.locator('#panel-share');
  await panel.getByLabel('Name').fill('board');
  await panel.getByRole('button', { name: 'Open' }).click();
  await panel.getByText('It has no slots.').waitFor();
  first.kill('SIGKILL');
  await page.getByText('The connection is lost.').waitFor();
  await page.getByText('The server does not answer.').waitFor();
  const second = await startServer({ apps, http: Number(new URL(first.http).port) });
  await page.locator('.pill.is-connected').waitFor();
  const old = await new RemoteSharedObject(await connect(`${second.rtmp}/stage/room`), 'board').connect();
  old.set('topic', 'again');
  await expect.poll(() => panel.locator('.value').textContent()).toBe("'again'");
});

test('tabs are chosen by arrow keys', async (context) => {
  const page = await open(context);
  await page.getByRole('tab', { name: 'Calls' }).focus();
  for (const name of ['Shared object', 'Play', 'Publish', 'Calls']) {
    await page.keyboard.press('ArrowRight');
    const tab = page.getByRole('tab', { name });
    expect(await tab.getAttribute('aria-selected')).toBe('true');
    expect(await tab.evaluate((element) => element === document.activeElement)).toBe(true);
  }
});

for (const width of [390, 1280]) {
  for (const scheme of ['light', 'dark'] as const) {
    test(`it fits ${width} pixels, ${scheme}`, async (context) => {
      const page = await enter(context, `fit${width}${scheme}`);
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme: scheme });
      await call(page, 'odd', `"${'x'.repeat(200)}", ${'[1, 2, 3], '.repeat(30)}0`);
      for (const tab of ['Calls', 'Shared object', 'Play', 'Publish']) {
        await chooseTab(page, tab);
        const folder = process.env.STAGEWIRE_SCREENSHOTS;
        if (folder) await page.screenshot({ path: `${folder}/playground-${tab}-${width}-${scheme}.png` });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow, tab).toBeLessThanOrEqual(0);
      }
    });
  }
}
