import { existsSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { AUTOPLAY, CHROMIUM_PATH, launchChromium } from './chromium.ts';
import { DEADLINE_MS } from './journal.ts';

/** A Chromium for all tests of a file. Where there is none, its tests are skipped and say so. */
export function useBrowser(): { page(context: TestContext, url: string): Promise<Page> } {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (existsSync(CHROMIUM_PATH)) browser = await launchChromium(AUTOPLAY);
    else console.log(`skipped: there is no ${CHROMIUM_PATH}`);
  }, DEADLINE_MS * 2);
  afterAll(() => browser?.close(), DEADLINE_MS);
  return {
    /** A page of its own; what it throws is printed. */
    async page(context, url) {
      if (!browser) {
        const reason = `${CHROMIUM_PATH} is not installed`;
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
