import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { MachineLoad, treeCpuMs } from '../support/busy.ts';
import { type Figure, median, rangeOf, spreadOf } from '../support/figures.ts';
import { StreamClient } from '../support/stream-client.ts';
import { type BrowserCpu, WatchPage, type WatchState } from './browser.ts';
import { FRAMES_PER_SECOND, makeClip, publishFile, publishPictures } from './pictures.ts';
import type { PageServer } from './server.ts';

const PLAYERS = { mse: 'MsePlayer', 'low-latency': 'LowLatencyPlayer' } as const;
type How = keyof typeof PLAYERS | 'file';

const PATIENCE_MS = 20_000;
const SETTLE_MS = 4000;
const DELAY_SECONDS = 10;
const CPU_ROUNDS = 2;
const CPU_SECONDS = 6;
/** Nothing is under way for so long: such a number was misread. */
const MISREAD_MS = 5000;

/**
 * From the moment when a picture goes to the encoder to the one when the page sees it: by the numbers in the pictures, as
 * ffmpeg tells them and the page reads them. Beside it, how soon the message of that picture is at an RTMP client, which is
 * what encoder and host have of it.
 */
export async function measureDelay(server: PageServer): Promise<Figure[]> {
  const client = await StreamClient.open(server.port, 'watch');
  const arrivedAtMs: number[] = [];
  let first: number | undefined;
  client.onVideo = ({ timestamp, payload }) => {
    if (payload[1] !== 1) return; // a codec header
    first ??= timestamp;
    arrivedAtMs[Math.round(((timestamp - first) * FRAMES_PER_SECOND) / 1000)] = performance.now();
  };
  await client.play('numbered');
  const pictures = publishPictures(`${server.rtmp}/watch/numbered`);
  try {
    const figures: Figure[] = [];
    for (const how of ['mse', 'low-latency'] as const) {
      const since = await watch(server, how, 'numbered', true, DELAY_SECONDS);
      const from = since.shown[0]![0];
      const agesOf = (seen: readonly (readonly [number, number])[]) =>
        seen
          .map(([number, atMs]) => atMs - pictures.encodedAtMs[number]!)
          .filter((ageMs) => ageMs >= 0 && ageMs < MISREAD_MS);
      const delays = agesOf(since.shown);
      const last = since.shown.at(-1)![0];
      const arrivals = agesOf([...arrivedAtMs.entries()].slice(from, last));
      const { p50, p95 } = spreadOf(delays);
      const floor = spreadOf(arrivals);
      figures.push({
        name: `${PLAYERS[how]}, 720p: encoder to screen`,
        unit: 'ms',
        target: {},
        p50,
        ...(p95 !== undefined && { p95 }),
        floors: [
          {
            name: 'the message at an RTMP client',
            p50: floor.p50,
            ...(floor.p95 !== undefined && { p95: floor.p95 }),
          },
        ],
        notes: [
          `${delays.length} pictures were seen in ${DELAY_SECONDS} s of ${FRAMES_PER_SECOND} a second` +
            `${delays.length < since.shown.length ? `, ${since.shown.length - delays.length} numbers were misread` : ''}; ` +
            `the player held ${Math.round(since.delayMs ?? 0)} ms, aimed at ${Math.round(since.targetMs ?? 0)} ms, ran dry ${since.stalls} times`,
          `beyond an RTMP client p50 ${(p50 - floor.p50).toFixed(0)} ms, which is what the page has of it`,
          ...describeShare(since),
        ],
      });
    }
    return figures;
  } finally {
    await pictures.stop();
    client.close();
  }
}

/** What a page takes of a processor while it plays, beside one that plays the same file without us. */
export async function measureCpu(server: PageServer): Promise<Figure[]> {
  const publisher = publishFile(makeClip(server.publicFolder), `${server.rtmp}/watch/clip`);
  const runs: Record<How, Watched[]> = { mse: [], 'low-latency': [], file: [] };
  try {
    for (let round = 0; round < CPU_ROUNDS; round++) {
      for (const how of ['mse', 'low-latency', 'file'] as const) {
        const name = how === 'file' ? 'clip.mp4' : 'clip';
        runs[how].push(await watch(server, how, name, false, CPU_SECONDS));
      }
    }
  } finally {
    await publisher.stop();
  }
  const cost = (how: How) => median(runs[how].map(pagePercent));
  return (['mse', 'low-latency'] as const).map((how) => ({
    name: `${PLAYERS[how]}, 720p: the page`,
    unit: '%',
    target: {},
    p50: cost(how),
    floors: [{ name: '<video src> of the same file', p50: cost('file') }],
    notes: [
      `of one processor, renderer and GPU process; median of ${CPU_ROUNDS} rounds, ${rangeOf(runs[how].map(pagePercent), '%')}`,
      ...[how, 'file' as const].map((one) => `${one}: ${describeRun(runs[one].at(-1)!)}`),
      ...describeShare(runs[how].at(-1)!),
    ],
  }));
}

/** What was seen in the seconds that were measured. */
interface Watched extends WatchState {
  seconds: number;
  /** Shares of one processor, in percent. */
  cpu: BrowserCpu;
  /** Shares of all processors, from 0 to 1: all that is busy, and what is none of the bench's. */
  machine: number;
  others: number;
}

/** Has a page of its own play that for so long, after a while in which it settles. */
async function watch(
  server: PageServer,
  how: How,
  name: string,
  isRead: boolean,
  seconds: number,
): Promise<Watched> {
  const page = await WatchPage.open(server.http);
  try {
    await page.ask('watch.play', how, name);
    if (isRead) await page.ask('watch.read');
    const deadline = performance.now() + PATIENCE_MS;
    while ((await page.state()).decoded === 0) {
      if (performance.now() > deadline) throw new Error(`${how}: no picture within ${PATIENCE_MS} ms`);
      await sleep(50);
    }
    await sleep(SETTLE_MS);
    const offsetMs = await page.clockOffsetMs();
    const before = await page.state();
    const cpu = page.cpuMs();
    const load = new MachineLoad();
    const own = treeCpuMs(process.pid);
    const startedAt = performance.now();
    await sleep(seconds * 1000);
    const machine = load.look();
    const elapsedMs = performance.now() - startedAt;
    const known = treeCpuMs(process.pid) - own;
    const cpuAfter = page.cpuMs();
    const state = await page.state();
    const percent = (kind: keyof BrowserCpu) => ((cpuAfter[kind] - cpu[kind]) / elapsedMs) * 100;
    return {
      ...state,
      shown: state.shown
        .slice(before.shown.length)
        .map(([number, atMs]) => [number, atMs + offsetMs] as [number, number]),
      decoded: state.decoded - before.decoded,
      dropped: state.dropped - before.dropped,
      seconds: elapsedMs / 1000,
      cpu: { renderer: percent('renderer'), gpu: percent('gpu'), rest: percent('rest') },
      machine,
      others: Math.max(0, machine - known / (elapsedMs * availableParallelism())),
    };
  } finally {
    await page.close();
  }
}

function pagePercent({ cpu }: Watched): number {
  return cpu.renderer + cpu.gpu;
}

function describeRun({ cpu, decoded, dropped, seconds }: Watched): string {
  return (
    `renderer ${cpu.renderer.toFixed(0)} %, GPU process ${cpu.gpu.toFixed(0)} %, the rest of the browser ${cpu.rest.toFixed(0)} %; ` +
    `${(decoded / seconds).toFixed(1)} pictures decoded in a second, ${dropped} left out`
  );
}

function describeShare({ machine, others, cpu }: Watched): string[] {
  const browser = cpu.renderer + cpu.gpu + cpu.rest;
  return [
    `ffmpeg, host, bench and browser share ${availableParallelism()} processors: the browser took ${browser.toFixed(0)} % of one, ` +
      `all were ${Math.round(machine * 100)} % busy, others than the bench had ${Math.round(others * 100)} % of all`,
  ];
}
