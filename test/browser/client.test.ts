import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type * as Client from '../../client/index.ts';
import { useBrowser } from '../support/browser.ts';
import { eventually } from '../support/journal.ts';
import { avcHeader, keyFrame } from '../support/media.ts';
import { connect } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

/** What the pages below have made for themselves. */
declare global {
  interface Window {
    stagewire: typeof Client;
    nc: Client.NetConnection;
    so: Client.SharedObject;
    ns: Client.NetStream;
    codes: string[];
    got: string[];
  }
}

const script = (word: string) => `
  application.onConnect = (client, name) => { client.name = name; return true; };
  let count = 0;
  Object.assign(Client.prototype, {
    greet(text) { return '${word}, ' + this.name + ': ' + text; },
    next() { return ++count; },
    ask(method, ...args) { return this.invoke(method, ...args); },
    me() { return [this.protocol, this.pageUrl, this.agent]; },
  });`;
const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module">
  import * as stagewire from '/client.js';
  window.stagewire = stagewire;
</script>`;
const apps = { room: { 'main.ts': script('hello'), 'public/index.html': html } };

const server = useServer({ apps });
const browser = useBrowser();

/** A page that is connected to the room. */
async function enter(page: Page, room: string, name = 'Ada'): Promise<Page> {
  await page.waitForFunction(() => window.stagewire !== undefined);
  await page.evaluate(
    async ([at, who]) => {
      const { NetConnection } = window.stagewire;
      window.codes = [];
      window.nc = new NetConnection();
      window.nc.onStatus = ({ code }) => window.codes.push(code);
      await window.nc.connect(`/room/${at}`, who);
    },
    [room, name] as const,
  );
  return page;
}

test('a page calls the application, and the application calls the page', async (context) => {
  const page = await enter(await browser.page(context, `${server.http}/room/`), 'calls');
  expect(await page.evaluate(() => window.nc.invoke('greet', 'ä€𝄞'))).toBe('hello, Ada: ä€𝄞');
  const answer = await page.evaluate(() => {
    window.nc.client = { add: (a: number, b: number) => a + b };
    return window.nc.invoke('ask', 'add', 2, 3);
  });
  expect(answer).toBe(5);
  const [protocol, pageUrl, agent] = (await page.evaluate(() => window.nc.invoke('me'))) as string[];
  expect([protocol, pageUrl]).toEqual(['ws', `${server.http}/room/`]);
  expect(agent).toContain('Chrome');
  const failure = await page.evaluate(() =>
    window.nc.invoke('nothing').catch((error: Error) => error.message),
  );
  expect(failure).toBe('NetConnection.Call.Failed: Method not found (nothing).');
});

test('what a method of the page throws is an error of the page, unless a listener of asyncError prevents that', async (context) => {
  const page = await enter(await browser.page(context, `${server.http}/room/`), 'errors');
  await page.evaluate(async () => {
    window.got = [];
    window.addEventListener('error', ({ message }) => window.got.push(message));
    window.so = window.stagewire.SharedObject.getRemote('board', window.nc);
    await window.so.ready;
    window.so.client = {
      breaks(word: string) {
        throw new Error(word);
      },
    };
    window.so.send('breaks', 'seen');
    window.so.send('missing'); // an event only
  });
  await page.waitForFunction(() => window.got.includes('Uncaught Error: seen'));
  await page.evaluate(() => {
    window.so.addEventListener('asyncError', (event) => {
      if (String((event as Client.AsyncErrorEvent).error).includes('hidden')) event.preventDefault();
    });
    window.so.send('breaks', 'hidden');
    window.so.send('breaks', 'seen again');
  });
  await page.waitForFunction(() => window.got.includes('Uncaught Error: seen again'));
  expect(await page.evaluate(() => window.got)).toEqual([
    'Uncaught Error: seen',
    'Uncaught Error: seen again',
  ]);
});

test('a page of another origin is told that it may not', async (context) => {
  const page = await browser.page(context, `${server.http}/room/`);
  const other = await startServer({ apps });
  await page.waitForFunction(() => window.stagewire !== undefined);
  const info = await page.evaluate(async (url) => {
    const connection = new window.stagewire.NetConnection();
    return connection.connect(url).catch((error: Client.CallError) => error.info);
  }, `${other.http}/room/one`);
  expect(info).toMatchObject({
    code: 'NetConnection.Connect.Failed',
    description: `E_ORIGIN: "cors" in app.json must list ${server.http}`,
  });
});

test('a shared object changed in a page is seen by another page and by an RTMP client, and back', async (context) => {
  const pages = [
    await enter(await browser.page(context, `${server.http}/room/`), 'so', 'Ada'),
    await enter(await browser.page(context, `${server.http}/room/`), 'so', 'Bob'),
  ] as const;
  for (const page of pages)
    await page.evaluate(async () => {
      window.so = window.stagewire.SharedObject.getRemote('board', window.nc);
      await window.so.ready;
    });
  const old = await new RemoteSharedObject(await connect(`${server.rtmp}/room/so`), 'board').connect();
  await pages[0].evaluate(() => window.so.setProperty('topic', { title: 'bridges', at: new Date(5) }));
  await old.holds({ topic: { title: 'bridges', at: new Date(5) } });
  await pages[1].waitForFunction(() => window.so.data.topic?.at.getTime() === 5);
  old.set('score', 3);
  for (const page of pages) await page.waitForFunction(() => window.so.data.score === 3);
  await pages[1].evaluate(() => window.so.setProperty('topic', null));
  await old.holds({ score: 3 });
  await pages[0].waitForFunction(() => !('topic' in window.so.data));
});

test('what an encoder publishes reaches the sink of a page, and what a page publishes an RTMP client', async (context) => {
  const page = await enter(await browser.page(context, `${server.http}/room/`), 'stage');
  const publisher = await (await connect(`${server.rtmp}/room/stage`)).createStream();
  await publisher.publish('cam');
  publisher.data(0, '@setDataFrame', 'onMetaData', { width: 320 });
  publisher.video(0, avcHeader);
  publisher.video(0, keyFrame(1));
  await page.evaluate(() => {
    window.got = [];
    window.ns = new window.stagewire.NetStream(window.nc);
    window.ns.onMetaData = ({ width }) => window.got.push(`width ${width}`);
    window.ns.sink = {
      audio: (time, payload) => window.got.push(`audio ${time} ${payload.length}`),
      video: (time, payload) => window.got.push(`video ${time} ${payload.length}`),
      reset: () => {},
    };
    window.ns.play('cam');
  });
  await page.waitForFunction(() => window.got.length === 3);
  expect(await page.evaluate(() => window.got)).toEqual([
    'width 320',
    `video 0 ${avcHeader.length}`,
    `video 0 ${keyFrame(1).length}`,
  ]);
  const viewer = await (await connect(`${server.rtmp}/room/stage`)).createStream();
  await viewer.play('page');
  await page.evaluate(
    ([header, picture]) => {
      const stream = new window.stagewire.NetStream(window.nc);
      stream.source = {
        start(output) {
          output.video(0, new Uint8Array(header!));
          output.video(40, new Uint8Array(picture!));
        },
        stop() {},
      };
      stream.publish('page');
    },
    [[...avcHeader], [...keyFrame(2)]],
  );
  expect((await viewer.waitForMedia(keyFrame(2))).timestamp).toBe(40);
});

test('the script is reloaded under a page: nothing is dropped, and every call is answered', async (context) => {
  const page = await enter(await browser.page(context, `${server.http}/room/`), 'reload');
  const from = server.log.mark;
  // As many calls as there is time for, each behind the answer to the one before.
  await page.evaluate(() => {
    window.got = [];
    void (async () => {
      while (window.got.length < 100_000) window.got.push(String(await window.nc.invoke('greet', 'x')));
    })().catch((error: Error) => window.got.push(error.message));
  });
  await page.waitForFunction(() => window.got.length > 50);
  server.writeFile('room/main.ts', script('welcome'));
  await server.waitForLog((r) => r.instance === 'room/reload' && r.message.startsWith('runs new code'), from);
  await page.waitForFunction(() => window.got.at(-1) === 'welcome, Ada: x');
  const [answers, codes] = await page.evaluate(() => [window.got, window.codes] as const);
  expect(new Set(answers)).toEqual(new Set(['hello, Ada: x', 'welcome, Ada: x']));
  expect(codes).toEqual(['NetConnection.Connect.Success']);
  await page.evaluate(() => window.nc.close());
  server.writeFile('room/main.ts', script('hello'));
});

for (const how of ['SIGKILL', 'SIGTERM'] as const) {
  test(`a server ended by ${how} and started again has the page back, with its object and its stream`, async (context) => {
    const first = await startServer({ apps });
    const port = Number(new URL(first.http).port);
    const page = await enter(await browser.page(context, `${first.http}/room/`), 'back');
    await page.evaluate(async () => {
      window.so = window.stagewire.SharedObject.getRemote('board', window.nc, true);
      await window.so.ready;
      window.so.setProperty('topic', 'before');
      window.ns = new window.stagewire.NetStream(window.nc);
      window.ns.onStatus = ({ code }) => window.codes.push(code);
      window.ns.play('cam');
    });
    await page.waitForFunction(() => window.codes.includes('NetStream.Play.Start'));
    first.kill(how);
    await first.exited;
    await page.waitForFunction(() => window.codes.includes('NetConnection.Connect.Closed'));
    await page.evaluate(() => window.so.setProperty('score', 7));
    const second = await startServer({ apps, http: port });
    await page.waitForFunction(
      () => window.codes.filter((code) => code === 'NetStream.Play.Start').length === 2,
    );
    expect(await page.evaluate(() => window.nc.invoke('greet', 'again'))).toBe('hello, Ada: again');
    const old = new RemoteSharedObject(await connect(`${second.rtmp}/room/back`), 'board', {
      isPersistent: true,
    });
    await old.connect();
    await eventually('what was written while nobody heard it', () => old.data.get('score') === 7);
    const codes = await page.evaluate(() => window.codes);
    expect(codes.filter((code) => code === 'NetConnection.Connect.Success')).toHaveLength(2);
  });
}
