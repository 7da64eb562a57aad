import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, expect, onTestFinished } from 'vitest';
import { AUTOPLAY, launchChromium } from './chromium.ts';
import { root } from './server.ts';

/** A script for a page, with all that it imports but for what matches `without`, as browsers load it. */
export async function bundle(entry: string, without = /^$/): Promise<string> {
  const leaveOut: Plugin = {
    name: 'leave out',
    setup: ({ onResolve }) => onResolve({ filter: without }, ({ path }) => ({ path, external: true })),
  };
  const { outputFiles } = await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    plugins: [leaveOut],
  });
  return outputFiles[0]!.text;
}

/**
 * Pages of a real Chromium that run one script, a file of this project. A test's pages are closed when it ends, and must not
 * have had errors that nobody caught.
 */
export class Pages {
  readonly #script: Promise<string>;
  #browser: Promise<Browser> | undefined;
  #site: Promise<{ url: string; close(): void }> | undefined;

  constructor(entry: string) {
    this.#script = bundle(entry);
    afterAll(async () => {
      await (await this.#browser)?.close();
      (await this.#site)?.close();
    });
  }

  async open(): Promise<Page> {
    this.#browser ??= launchChromium(AUTOPLAY);
    return this.#openIn(await this.#browser);
  }

  /** In a browser of its own, with other flags. */
  async openWith(...flags: string[]): Promise<Page> {
    const browser = await launchChromium(AUTOPLAY, ...flags);
    onTestFinished(() => browser.close());
    return this.#openIn(browser);
  }

  /**
   * In a browser that lets nothing make a sound before the user has done something. Playwright's own questions count as
   * that: `hash` tells the script what to do, and the page is there when it has written `text` to the console.
   */
  async openSilent(hash: string, text: string): Promise<Page> {
    const browser = await launchChromium('--autoplay-policy=document-user-activation-required');
    onTestFinished(() => browser.close());
    const page = await this.#newPage(browser);
    const isTold = page.waitForEvent('console', (message) => message.text().includes(text));
    await page.goto(`${await this.#url()}#${encodeURIComponent(hash)}`);
    await isTold;
    return page;
  }

  async #openIn(browser: Browser): Promise<Page> {
    const page = await this.#newPage(browser);
    await page.goto(await this.#url());
    await page.waitForFunction('globalThis.stage !== undefined');
    return page;
  }

  async #url(): Promise<string> {
    this.#site ??= serve(this.#script);
    return (await this.#site).url;
  }

  async #newPage(browser: Browser): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 640, height: 480 } });
    const errors: Error[] = [];
    page.on('pageerror', (error) => errors.push(error));
    onTestFinished(async () => {
      await page.close();
      expect(errors).toEqual([]);
    });
    return page;
  }
}

async function serve(script: Promise<string>): Promise<{ url: string; close(): void }> {
  const text = await script;
  const server = createServer((request, response) => {
    const isScript = request.url === '/main.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isScript ? text : '<!doctype html><script type="module" src="/main.js"></script>');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => void server.close() };
}
