import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { DEADLINE_MS } from './journal.ts';

const PATH = '/usr/bin/chromium';
const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

/** A Chromium for all tests of a file. Where there is none, its tests are skipped and say so. */
export function useBrowser(): { page(context: TestContext, url: string): Promise<Page> } {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (existsSync(PATH))
      browser = await chromium.launch({ executablePath: PATH, args: FLAGS, headless: true });
    else console.log(`skipped: there is no ${PATH}`);
  }, DEADLINE_MS * 2);
  afterAll(() => browser?.close(), DEADLINE_MS);
  return {
    /** A page of its own; what it throws is printed. */
    async page(context, url) {
      if (!browser) {
        const reason = `${PATH} is not installed`;
        if (process.env.STAGEWIRE_REQUIRE_TOOLS === '1')
          throw new Error(`${reason}, and STAGEWIRE_REQUIRE_TOOLS=1 asks for every tool`);
        console.warn(`skipped: ${reason}`);
        return context.skip(reason);
      }
      const page = await browser.newPage();
      context.onTestFinished(() => page.close());
      page.on('pageerror', (error) => console.log(`${url}: ${error.stack ?? error.message}`));
      await page.goto(url);
      return page;
    },
  };
}
