import { setTimeout as sleep } from 'node:timers/promises';
import { residentKbOf } from '../support/busy.ts';
import type { Figure } from '../support/figures.ts';
import { KBPS } from '../support/media.ts';
import { Show } from './show.ts';
import type { Target } from './targets.ts';

const VIEWERS = 1000;
const STUCK = 50;
const STUCK_SECONDS = 20;
/** The host has grown to what one stream needs before anybody is counted. */
const WARM_UP = { viewers: 6, seconds: 2 };

/** What the host holds for each viewer who keeps up. The server must be fresh. */
export async function measureMemory(target: Target): Promise<Figure> {
  const show = await Show.open(target, KBPS);
  await show.seat(WARM_UP.viewers);
  await show.run(WARM_UP.seconds);
  const before = residentKbOf(target.pid);
  await show.seat(VIEWERS);
  const { problems } = await show.run(4);
  const after = residentKbOf(target.pid);
  await show.close();
  const mb = (kb: number) => `${(kb / 1024).toFixed(0)} MB`;
  return {
    name: `memory of a viewer, ${target.label}`,
    unit: 'KB',
    target: { p50: 65 },
    p50: (after - before) / VIEWERS,
    floors: [],
    notes: [
      `resident memory of the host with ${VIEWERS.toLocaleString('en-US')} viewers ${mb(after)}, with none ${mb(before)}`,
      ...problems,
    ],
  };
}

/** What viewers who never read make the host hold. The server must be fresh. */
export async function measureStuck(target: Target): Promise<Figure> {
  const show = await Show.open(target, KBPS);
  await show.seat(WARM_UP.viewers);
  await show.run(WARM_UP.seconds);
  const before = residentKbOf(target.pid);
  await show.seatStuck(STUCK);
  const samples: number[] = [];
  const watching = (async () => {
    for (let i = 0; i < STUCK_SECONDS * 4; i++) {
      await sleep(250);
      samples.push((residentKbOf(target.pid) - before) / 1024);
    }
  })();
  await show.playUntil(watching);
  const left = await clientsOf(target);
  await show.close();
  return {
    name: `growth, ${STUCK} stuck viewers, ${target.label}`,
    unit: 'MB',
    target: {},
    p50: Math.max(...samples),
    floors: [],
    notes: [
      `the most within ${STUCK_SECONDS} s, at the end ${samples.at(-1)!.toFixed(1)} MB; ` +
        `${left - WARM_UP.viewers - 1} of the stuck were still connected then`,
    ],
  };
}

/** Who is connected to the instance, the publisher included. */
async function clientsOf({ http, app }: Target): Promise<number> {
  const answer = await fetch(`${http}/api/instances/${app}`);
  const { clients } = (await answer.json()) as { clients: number };
  return clients;
}
