import { type Figure, spreadOf } from '../support/figures.ts';
import { ageMsOf, KBPS } from '../support/media.ts';
import { StreamClient } from '../support/stream-client.ts';
import { Show } from './show.ts';
import type { Target } from './targets.ts';

const JOINS = 200;
const WATCHING = 300;

/** How soon a newcomer sees something, from the TCP connection to the first picture, while many watch. */
export async function measureJoins(target: Target): Promise<Figure> {
  const show = await Show.open(target, KBPS);
  await show.seat(WATCHING);
  const samples: number[] = [];
  const joining = (async () => {
    for (let i = 0; i < JOINS; i++) samples.push(await join(target, show.nameOf(0)));
  })();
  await show.playUntil(joining);
  await show.close();
  return {
    name: `first picture of who joins, ${target.label}`,
    unit: 'ms',
    target: { p50: 10 },
    ...spreadOf(samples),
    floors: [],
    notes: [`${JOINS} joins one after the other, while ${WATCHING} watch; the client is in Node`],
  };
}

async function join({ port, app = '' }: Target, stream: string): Promise<number> {
  const startedAt = performance.now();
  const client = await StreamClient.open(port, app);
  const seen = new Promise<number>((resolve) => {
    // Codec headers show nothing: only pictures and sound are stamped.
    client.onVideo = ({ payload }) => {
      if (ageMsOf(payload) !== undefined) resolve(performance.now() - startedAt);
    };
  });
  await client.play(stream);
  const ms = await seen;
  client.close();
  return ms;
}
