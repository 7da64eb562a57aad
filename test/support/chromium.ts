import { type Browser, chromium } from 'playwright-core';

/** Where Debian has it. */
export const CHROMIUM_PATH = '/usr/bin/chromium';
/** Pages may play with sound at once, as if the user had done something. */
export const AUTOPLAY = '--autoplay-policy=no-user-gesture-required';

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
];

/** A Chromium without a window, with a camera and a microphone that are made up. */
export function launchChromium(...flags: string[]): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM_PATH, args: [...FLAGS, ...flags] });
}
