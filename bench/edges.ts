import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultLimits } from '../host/base/limits.ts';
import { OriginLink } from '../host/cluster/edge/origin-link.ts';
import { MessageType } from '../wire/messages.ts';
import { treeCpuMs } from './support/busy.ts';
import { type Figure, median, type Report, rangeOf, spreadOf } from './support/figures.ts';
import { ageMsOf, KBPS, MediaSource } from './support/media.ts';
import { type StagewireServer, scratchFolder, startServer } from './support/server.ts';
import { StreamClient } from './support/stream-client.ts';

const SECRET = 'the secret of the benchmark';
const APP = 'open0/bench';
const ROUNDS = 5;
const RECEIVERS = 20;
const SECONDS = 4;
const HOP_SECONDS = 20;

/** What a stream costs its origin for each edge, beside what it costs for a viewer, and what each hop adds to the delay. */
export async function benchEdges(): Promise<Report> {
  const secret = join(scratchFolder(), 'secret');
  writeFileSync(secret, SECRET);
  const apps = scratchFolder();
  for (const [app, windowMs] of [['open0', 0], ['open']] as const) {
    const folder = join(apps, app);
    mkdirSync(folder);
    if (windowMs !== undefined)
      writeFileSync(join(folder, 'app.json'), JSON.stringify({ streams: { windowMs } }));
  }
  const origin = await startServer(apps, {}, ['--edge-secret-file', secret]);
  const edge = await startEdge(origin, secret);
  const second = await startEdge(edge, secret);
  try {
    return {
      name: 'edges',
      figures: [
        await cost(origin, 'open0/bench', 'windows of 0 ms'),
        await cost(origin, 'open/bench', 'windows as they are by default'),
        ...(await hops([origin, edge, second])),
      ],
    };
  } finally {
    await Promise.all([second.stop(), edge.stop(), origin.stop()]);
  }
}

function startEdge(of: StagewireServer, secret: string): Promise<StagewireServer> {
  return startServer(scratchFolder(), {}, [
    '--edge-secret-file',
    secret,
    '--edge-of',
    `rtmp://127.0.0.1:${of.port}`,
  ]);
}

/** Processor time of the origin for each second that a viewer, or an edge, gets of one stream. */
async function cost(origin: StagewireServer, app: string, windows: string): Promise<Figure> {
  const edges: number[] = [];
  const viewers: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const perEdge = await measure(origin, app, openEdge);
    const perViewer = await measure(origin, app, openViewer);
    if (round === 0) continue; // code that has never run
    edges.push(perEdge);
    viewers.push(perViewer);
  }
  const ratios = edges.map((one, index) => one / viewers[index]!);
  return {
    name: `a second of a stream of ${KBPS / 1000} Mb/s for an edge, ${windows}`,
    unit: 'us',
    target: {},
    p50: median(edges),
    floors: [{ name: 'for a viewer', p50: median(viewers) }],
    notes: [
      `medians of ${ROUNDS} rounds with ${RECEIVERS} of each; ratio of a round ${rangeOf(ratios, 'x')}, median ${median(ratios).toFixed(2)} (at most 1.5)`,
    ],
  };
}

/** Who gets the stream until it is called; `count` says how many messages have come. */
type Receiver = { count(): number; close(): void };

async function measure(
  origin: StagewireServer,
  app: string,
  open: (port: number, app: string, n: number) => Promise<Receiver>,
): Promise<number> {
  const publisher = await StreamClient.open(origin.port, app);
  await publisher.publish('show');
  const source = new MediaSource(KBPS);
  for (const message of source.opening()) publisher.send(message);
  const bare = await cpuOver(origin, () => source.play(SECONDS, (message) => publisher.send(message)));
  const receivers = await Promise.all(Array.from({ length: RECEIVERS }, (_, n) => open(origin.port, app, n)));
  await sleep(200);
  const before = receivers.map((receiver) => receiver.count());
  let messages = 0;
  const loaded = await cpuOver(origin, async () => {
    ({ messages } = await source.play(SECONDS, (message) => publisher.send(message)));
    const isShort = () => receivers.some((receiver, index) => receiver.count() - before[index]! < messages);
    for (let waits = 0; isShort() && waits < 100; waits++) await sleep(50);
  });
  for (const [index, receiver] of receivers.entries()) {
    const got = receiver.count() - before[index]!;
    if (got < messages) throw new Error(`one got ${got} of ${messages} messages`);
    receiver.close();
  }
  publisher.close();
  await sleep(200);
  return ((loaded - bare) * 1000) / RECEIVERS / SECONDS;
}

async function cpuOver({ pid }: StagewireServer, run: () => Promise<unknown>): Promise<number> {
  const before = treeCpuMs(pid);
  await run();
  return treeCpuMs(pid) - before;
}

async function openViewer(port: number, app: string): Promise<Receiver> {
  const client = await StreamClient.open(port, app);
  let messages = 0;
  client.onAudio = client.onVideo = () => void messages++;
  await client.play('show');
  return { count: () => messages, close: () => client.close() };
}

function openEdge(port: number, app: string, n: number): Promise<Receiver> {
  const [name = '', instance = ''] = app.split('/');
  return new Promise((resolve, reject) => {
    let messages = 0;
    const link = new OriginLink(
      {
        address: { host: '127.0.0.1', port, isSecure: false },
        secret: SECRET,
        name: `bench-${n}`,
        run: `bench-${n}`,
        limits: defaultLimits,
      },
      {
        up: () => {
          link.tell({ op: 'carry', app: name, instance, stream: 'show' }, 1);
          resolve({ count: () => messages, close: () => link.close() });
        },
        control: () => {},
        toClients: () => {},
        media: ({ type }) => {
          if (type === MessageType.Audio || type === MessageType.Video) messages++;
        },
        down: (why) => reject(new Error(why)),
      },
    );
  });
}

/** The same frames at the origin, at an edge, and at an edge of that. */
async function hops(servers: readonly StagewireServer[]): Promise<Figure[]> {
  const publisher = await StreamClient.open(servers[0]!.port, APP);
  await publisher.publish('hops');
  const source = new MediaSource(KBPS);
  for (const message of source.opening()) publisher.send(message);
  const ages: number[][] = servers.map(() => []);
  const viewers = await Promise.all(
    servers.map(async ({ port }, place) => {
      const viewer = await StreamClient.open(port, APP);
      viewer.onVideo = ({ payload }) => {
        const age = ageMsOf(payload);
        if (age !== undefined) ages[place]!.push(age);
      };
      await viewer.play('hops');
      return viewer;
    }),
  );
  await source.play(2, (message) => publisher.send(message));
  for (const list of ages) list.length = 0;
  await source.play(HOP_SECONDS, (message) => publisher.send(message));
  await sleep(200);
  for (const viewer of viewers) viewer.close();
  publisher.close();
  return servers.slice(1).map((_, index) => {
    const [before, after] = [spreadOf(ages[index]!), spreadOf(ages[index + 1]!)];
    return {
      name: `delay that hop ${index + 1} adds, windows of 0 ms`,
      unit: 'ms',
      target: { p50: 2 },
      p50: after.p50 - before.p50,
      floors: [],
      notes: [
        `p50 ${before.p50.toFixed(2)} and ${after.p50.toFixed(2)} ms, p95 ${before.p95?.toFixed(2)} and ${after.p95?.toFixed(2)} ms, of ${ages[index]!.length} pictures`,
      ],
    };
  });
}
