import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, type TestContext, test } from 'vitest';
import { useBrowser } from '../support/browser.ts';
import { packetsOf, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { useServer } from '../support/server.ts';
import { requireTools } from '../support/tools.ts';

const html = (head = '') => `<!doctype html>${head}
<script type="module">
  import { NetConnection, NetStream } from '/client.js';
  import { publishMedia } from '/publish.js';
  globalThis.heard = [];
  globalThis.publish = async (options) => {
    const connection = new NetConnection();
    await connection.connect('/world/room');
    const stream = new NetStream(connection);
    stream.onStatus = ({ code }) => heard.push(code);
    const media = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 }, audio: true });
    globalThis.publishing = publishMedia(stream, media, options);
    stream.publish('cam');
  };
</script>`;
const policies = {
  WebAssembly: "script-src 'self' 'unsafe-inline'; worker-src blob:",
  'its worker': "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'",
};
const strict = (policy: string) => html(`<meta http-equiv="Content-Security-Policy" content="${policy}">`);
const server = useServer({
  apps: {
    world: {
      'public/index.html': html(),
      ...Object.fromEntries(
        Object.entries(policies).map(([what, policy]) => [`public/${what}.html`, strict(policy)]),
      ),
    },
  },
});
const browser = useBrowser();

/** A page that publishes, when its first sound has been encoded; and what it has loaded. */
async function publish(context: TestContext, path: string, options = {}): Promise<[Page, string[]]> {
  const page = await browser.page(context, `${server.http}/world/${path}`);
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  await page.waitForFunction('globalThis.publish !== undefined');
  await page.evaluate(`publish(${JSON.stringify(options)})`);
  await expect.poll(() => audioCodecOf(page), { timeout: 60_000 }).not.toBe('');
  return [page, loaded];
}

const audioCodecOf = (page: Page) => page.evaluate('publishing.stats?.audioCodec ?? ""');

test('a page publishes AAC where its browser has no encoder for it, and old tools play it', {
  timeout: 180_000,
}, async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe', 'rtmpdump');
  const [page, loaded] = await publish(context, '');
  expect(await audioCodecOf(page)).toBe('mp4a');
  expect(loaded).toContain('/aac.js');

  const folder = scratchFolder();
  const [taken, dumped] = [join(folder, 'taken.flv'), join(folder, 'dumped.flv')];
  const url = `${server.rtmp}/world/room/cam`;
  const take = ['-v', 'error', '-i', url, '-t', '6', '-c', 'copy', '-y', taken];
  const ends = await Promise.all([
    new RunningTool('ffmpeg', take).end(),
    new RunningTool('rtmpdump', ['-q', '--live', '-r', url, '-B', '4', '-o', dumped]).end(),
  ]);
  expect(ends[0]).toMatchObject({ code: 0, errors: '' });
  for (const file of [taken, dumped]) {
    const decode = ['-v', 'error', '-i', file, '-fps_mode', 'passthrough', '-enc_time_base', '1:1000'];
    const { code, errors } = await new RunningTool('ffmpeg', [...decode, '-f', 'null', '-']).end();
    expect({ file, code, errors }).toEqual({ file, code: 0, errors: '' });
    const entries = 'stream=codec_name,profile,sample_rate,channels';
    const probe = await new RunningTool('ffprobe', ['-v', 'error', '-show_entries', entries, file]).end();
    expect(probe.output).toMatch(/codec_name=h264/);
    expect(probe.output).toMatch(/codec_name=aac\nprofile=LC\nsample_rate=(48000|44100)\nchannels=[12]/);
  }

  const packets = await packetsOf(taken);
  const [sound, pictures] = ['audio', 'video'].map((type) =>
    packets.filter(({ codec_type }) => codec_type === type).map(({ dts }) => dts),
  ) as [number[], number[]];
  expect(sound.length).toBeGreaterThan(100);
  expect(pictures.length).toBeGreaterThan(30);
  for (const stamps of [sound, pictures]) expect(stamps).toEqual(stamps.toSorted((a, b) => a - b));
  const packetMs = (sound.at(-1)! - sound[0]!) / (sound.length - 1);
  console.log(`${sound.length} packets of ${packetMs.toFixed(2)} ms, ${pictures.length} pictures`);
  // 1024 samples at 48 or 44.1 kHz.
  expect(packetMs).toBeGreaterThan(20.5);
  expect(packetMs).toBeLessThan(24);
  expect(Math.abs(sound.at(-1)! - pictures.at(-1)!)).toBeLessThan(500);
  expect(await page.evaluate('heard')).toEqual(['NetStream.Publish.Start']);
});

test('who wants Opus gets it, and loads nothing for AAC', { timeout: 90_000 }, async (context) => {
  const [page, loaded] = await publish(context, '', { audioCodecs: ['Opus', 'mp4a'] });
  expect(await audioCodecOf(page)).toBe('Opus');
  expect(loaded).not.toContain('/aac.js');
});

for (const what of Object.keys(policies)) {
  test(`a page whose policy forbids ${what} publishes Opus`, { timeout: 90_000 }, async (context) => {
    const [page] = await publish(context, `${what}.html`);
    expect(await audioCodecOf(page)).toBe('Opus');
    expect(await page.evaluate('heard')).toEqual(['NetStream.Publish.Start']);
  });
}
