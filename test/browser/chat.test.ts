import { expect, test } from 'vitest';
import { useBrowser } from '../support/browser.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ samples: ['chat'] });
const browser = useBrowser();

test('two pages and an RTMP client talk in a room of the chat sample', async (context) => {
  const old = await connect(`${server.rtmp}/chat/lobby`, { args: ['Flash'] });
  const pages = [];
  for (const name of ['Ada', 'Grace']) {
    const page = await browser.page(context, `${server.http}/chat/`);
    await page.fill('#name', name);
    await page.click('#door button');
    await page.waitForSelector('#hall:not([hidden])');
    pages.push(page);
  }
  const [ada, grace] = pages as [(typeof pages)[0], (typeof pages)[0]];
  await ada.getByText('Grace has come').waitFor();
  await ada.fill('#text', 'Hello, everybody <b>');
  await ada.keyboard.press('Enter');
  await grace.getByText('Hello, everybody <b>').waitFor();
  await old.waitForCall('heard');
  old.send('say', 'still here');
  await ada.getByText('still here').waitFor();
  await grace.click('#people button:has-text("Ada")');
  await grace.fill('#text', 'between us');
  await grace.keyboard.press('Enter');
  await ada.locator('.whisper', { hasText: 'between us' }).waitFor();
  expect(old.callsOf('whispered')).toEqual([]);
  await grace.close();
  await ada.getByText('Grace has gone').waitFor();
});

test('a name that is taken is said at the door', async (context) => {
  await connect(`${server.rtmp}/chat/taken`, { args: ['Ada'] });
  const page = await browser.page(context, `${server.http}/chat/#taken`);
  await page.fill('#name', 'Ada');
  await page.click('#door button');
  await page.getByText('The name Ada is taken.').waitFor();
});

for (const [width, scheme] of [
  [390, 'light'],
  [1280, 'dark'],
] as const) {
  test(`the page fits ${width} pixels, ${scheme}`, async (context) => {
    const page = await browser.page(context, `${server.http}/chat/#room${width}`);
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme: scheme });
    const shoot = async (name: string) => {
      const folder = process.env.STAGEWIRE_SCREENSHOTS;
      if (folder) await page.screenshot({ path: `${folder}/chat-${name}-${width}-${scheme}.png` });
    };
    await shoot('door');
    await page.fill('#name', 'Ada');
    await page.click('#door button');
    await page.waitForSelector('#hall:not([hidden])');
    const room = `${server.rtmp}/chat/room${width}`;
    const others = [
      await connect(room, { args: ['Grace Hopper'] }),
      await connect(room, { args: ['Annie Easley'] }),
    ];
    others[0]!.send('say', 'Does anybody know how many columns a punched card has?');
    others[1]!.send('say', 'Eighty, since 1928. x'.padEnd(120, 'x'));
    await page.getByText('Eighty').waitFor();
    await page.fill('#text', 'Thank you!');
    await page.keyboard.press('Enter');
    await page.getByText('Thank you!').waitFor();
    await others[1]!.call('whisper', 'Ada', 'You are welcome.');
    await page.getByText('You are welcome.').waitFor();
    await shoot('room');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });
}
