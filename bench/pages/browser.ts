/** A page of `watch/` in a Chromium of its own, and what that takes of the processors. */
import { existsSync, readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { AUTOPLAY, CHROMIUM_PATH, launchChromium } from '../../test/support/chromium.ts';
import { cpuMsOf, descendantsOf } from '../support/cpu.ts';

const CLOCK_LOOKS = 30;
const SIZE = { width: 1280, height: 720 };

export function hasChromium(): boolean {
  return existsSync(CHROMIUM_PATH);
}

/** Processor time of the browser so far, in milliseconds. */
export interface BrowserCpu {
  renderer: number;
  gpu: number;
  /** The others: the browser itself, network, sound. */
  rest: number;
}

export interface WatchState {
  decoded: number;
  dropped: number;
  delayMs?: number;
  targetMs?: number;
  stalls?: number;
  /** Number of a picture, and when it was seen first, by the page's clock. */
  shown: [number: number, atMs: number][];
}

export class WatchPage {
  readonly #browser: Browser;
  readonly #page: Page;
  #error: Error | undefined;

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser;
    this.#page = page;
    page.on('pageerror', (error) => {
      this.#error ??= error;
    });
  }

  /** `http` is the address of a server that has the application `watch`. */
  static async open(http: string): Promise<WatchPage> {
    const browser = await launchChromium(AUTOPLAY);
    const page = new WatchPage(browser, await browser.newPage({ viewport: SIZE }));
    await page.#page.goto(`${http}/watch/`);
    await page.#page.waitForFunction('globalThis.watch !== undefined && globalThis.calls !== undefined');
    return page;
  }

  /** Calls a function of the page's scripts, such as `watch.play`. Throws what the page threw since. */
  async ask(what: string, ...args: unknown[]): Promise<unknown> {
    const answer = await this.#page.evaluate(`${what}(...${JSON.stringify(args)})`);
    if (this.#error) throw this.#error;
    return answer;
  }

  async state(): Promise<WatchState> {
    return (await this.ask('watch.state')) as WatchState;
  }

  /** What to add to a time of the page to have it by our `performance.now()`: by the quickest of several answers. */
  async clockOffsetMs(): Promise<number> {
    let best = { tookMs: Infinity, offsetMs: 0 };
    for (let i = 0; i < CLOCK_LOOKS; i++) {
      const askedAt = performance.now();
      const there = (await this.ask('performance.now')) as number;
      const tookMs = performance.now() - askedAt;
      if (tookMs < best.tookMs) best = { tookMs, offsetMs: askedAt + tookMs / 2 - there };
    }
    return best.offsetMs;
  }

  /** There is no other browser of this process. */
  cpuMs(): BrowserCpu {
    const cpu = { renderer: 0, gpu: 0, rest: 0 };
    for (const pid of descendantsOf(process.pid)) {
      const command = commandOf(pid);
      if (!command.includes('chromium')) continue;
      const kind = command.includes('--type=renderer')
        ? 'renderer'
        : command.includes('--type=gpu-process')
          ? 'gpu'
          : 'rest';
      cpu[kind] += cpuMsOf(pid) ?? 0;
    }
    return cpu;
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
