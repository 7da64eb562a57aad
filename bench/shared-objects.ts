import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { lineOf, startNode, stopChild } from './support/children.ts';
import { BenchClient, openSocket } from './support/client.ts';
import { joinColyseus, type Member, startColyseus } from './support/colyseus.ts';
import { cpuMsOf } from './support/cpu.ts';
import { type Figure, median, type Report, rangeOf, spreadOf } from './support/figures.ts';
import type { PeerServer } from './support/peer.ts';
import { root, scratchFolder, startFloor, startServer } from './support/server.ts';

const ROUNDS = 3;
const SUBSCRIBERS = 1000;
const CHANGES_PER_SECOND = 30;
const MEASURE_MS = 4000;
const CHANGES_A_ROUND = (MEASURE_MS / 1000) * CHANGES_PER_SECOND;
const APP = 'open/bench';
const OBJECT = 'board';
const PEER_NOTE =
  'the peer patches right after each change, as soon as it can; its default is a patch every 50 ms';

/** What it costs to tell many of a change, and how soon they know. The application has no script: all is the host's. */
export async function benchSharedObjects(): Promise<Report> {
  const apps = scratchFolder();
  mkdirSync(join(apps, 'open'));
  const server = await startServer(apps);
  const floor = await startFloor('fan-out.ts');
  const peer = await startColyseus();
  try {
    return {
      name: 'shared objects',
      figures: [await fanOut(server, floor, peer), ...(await latency(server.port, peer))],
    };
  } finally {
    await Promise.all([server.stop(), floor.stop(), peer?.stop()]);
  }
}

interface Process {
  readonly pid: number;
  readonly port: number;
}

/** One writer, many subscribers: processor time of the host for each update that reaches one of them. */
async function fanOut(server: Process, floor: Process, peer: PeerServer | undefined): Promise<Figure> {
  const writer = await joinOurs(server.port, OBJECT);
  // The floor's writer is who comes first.
  const bareWriter = await openSocket(floor.port);
  const peerWriter = peer && (await joinColyseus(peer.port, OBJECT));
  const subscribers = await Subscribers.start(server.port, APP);
  const readers = await Subscribers.start(floor.port, '-');
  const peerSubscribers = peer && (await Subscribers.start(peer.port, 'colyseus'));
  const oursUs: number[] = [];
  const bareUs: number[] = [];
  const peerUs: number[] = [];
  let peerUpdates = 0;
  let bytes = 0;
  try {
    let step = 0;
    for (let round = 0; round <= ROUNDS; round++) {
      const ours = await measure(server.pid, subscribers, () => writer.set('x', step++));
      bytes = Math.round(ours.bytes / ours.updates);
      const same = Buffer.alloc(bytes, 1);
      const bare = await measure(floor.pid, readers, () => bareWriter.write(same));
      const theirs = peer && (await measure(peer.pid, peerSubscribers!, () => peerWriter!.set('x', step++)));
      if (round === 0) continue; // code that has never run
      oursUs.push((ours.cpuMs * 1000) / ours.updates);
      bareUs.push((bare.cpuMs * 1000) / (bare.bytes / bytes));
      if (!theirs) continue;
      peerUs.push((theirs.cpuMs * 1000) / theirs.updates);
      peerUpdates += theirs.updates;
    }
  } finally {
    writer.close();
    bareWriter.destroy();
    peerWriter?.close();
    await Promise.all([subscribers.stop(), readers.stop(), peerSubscribers?.stop()]);
  }
  const notes = [
    `${CHANGES_PER_SECOND} changes a second of ${bytes} bytes; ${ROUNDS} rounds of ${MEASURE_MS / 1000} s, ${rangeOf(oursUs, 'us')}; the ratio is to be 2 at the most`,
  ];
  if (peer) {
    const due = ROUNDS * CHANGES_A_ROUND * SUBSCRIBERS;
    notes.push(`${PEER_NOTE}; ${rangeOf(peerUs, 'us')}, ${peerUpdates} of ${due} updates came`);
  }
  return {
    name: `a change to ${SUBSCRIBERS} subscribers, processor time for each`,
    unit: 'us',
    target: {},
    p50: median(oursUs),
    floors: [{ name: 'socket.write of the same bytes to as many', p50: median(bareUs) }],
    peers: peer ? [{ name: peer.name, p50: median(peerUs) }] : [],
    notes,
  };
}

/** Subscribes to an object of ours. Resolves when what it holds has come. */
async function joinOurs(port: number, object: string): Promise<Member> {
  const client = await BenchClient.open(port);
  await client.connect(APP);
  const member: Member = {
    onChange: () => {},
    set: (key, value) => client.set(object, key, value),
    close: () => client.close(),
  };
  await new Promise<void>((resolve) => {
    member.onChange = resolve;
    client.onShared = () => member.onChange();
    client.use(object);
  });
  return member;
}

interface Seen {
  bytes: number;
  updates: number;
}

/** A process full of connections that read. */
class Subscribers {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! });
  }

  static async start(port: number, app: string): Promise<Subscribers> {
    const file = join(root, 'bench/support/subscribers.ts');
    const child = startNode([file, String(port), app, OBJECT, String(SUBSCRIBERS)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    await lineOf(child, /^ready$/, 60_000);
    return new Subscribers(child);
  }

  /** What has come so far. */
  async seen(): Promise<Seen> {
    const answer = once(this.#lines, 'line');
    this.#child.stdin?.write('?\n');
    const [line] = (await answer) as [string];
    return JSON.parse(line) as Seen;
  }

  /** What has come when no more does. */
  async seenAll(): Promise<Seen> {
    let before: Seen;
    let now = await this.seen();
    do {
      before = now;
      await sleep(200);
      now = await this.seen();
    } while (now.bytes > before.bytes || now.updates > before.updates);
    return now;
  }

  stop(): Promise<void> {
    return stopChild(this.#child);
  }
}

async function measure(
  pid: number,
  readers: Subscribers,
  change: () => void,
): Promise<Seen & { cpuMs: number }> {
  const before = await readers.seen();
  const cpuBefore = cpuMsOf(pid) ?? Number.NaN;
  const startedAt = performance.now();
  for (let i = 0; i < CHANGES_A_ROUND; i++) {
    const dueAt = startedAt + (i * 1000) / CHANGES_PER_SECOND;
    await sleep(Math.max(0, dueAt - performance.now()));
    change();
  }
  const after = await readers.seenAll();
  const cpuMs = (cpuMsOf(pid) ?? Number.NaN) - cpuBefore;
  return { cpuMs, bytes: after.bytes - before.bytes, updates: after.updates - before.updates };
}

const FEW = 20;
const TIMES = 4;
const CHANGES_A_TIME = 100;
const OBJECTS = 100;

type Join = (name: string) => Promise<Member>;

/** One server's part in the timing. */
interface Side {
  readonly join: Join;
  readonly few: readonly Member[];
  /** Milliseconds of each change. */
  readonly aloneMs: number[];
  readonly busyMs: number[];
}

/** From sending a change until the last of a few subscribers has it, while others are busy with objects of their own. */
async function latency(port: number, peer: PeerServer | undefined): Promise<Figure[]> {
  const ours = await gatherFew((name) => joinOurs(port, name));
  const theirs = peer && (await gatherFew((name) => joinColyseus(peer.port, name)));
  const sides = theirs ? [ours, theirs] : [ours];
  for (let time = 0; time < TIMES; time++) {
    for (const { few, aloneMs } of sides) await timeChanges(few, aloneMs);
  }
  const crowds: Crowd[] = [];
  for (const side of sides) crowds.push(await gatherCrowd(side.join));
  for (let time = 0; time < TIMES; time++) {
    for (const [index, { few, busyMs }] of sides.entries()) {
      crowds[index]!.isBusy = true;
      await timeChanges(few, busyMs);
      crowds[index]!.isBusy = false;
    }
  }
  for (const crowd of crowds) crowd.close();
  for (const member of sides.flatMap(({ few }) => few)) member.close();

  const alone = spreadOf(ours.aloneMs);
  const peers = (key: 'aloneMs' | 'busyMs') =>
    theirs ? [{ name: peer!.name, ...spreadOf(theirs[key]) }] : [];
  return [
    {
      name: `a change until all of ${FEW} have it, beside ${OBJECTS} busy objects`,
      unit: 'ms',
      target: {},
      ...spreadOf(ours.busyMs),
      floors: [{ name: 'the same alone', ...alone }],
      peers: peers('busyMs'),
      notes: [
        `${OBJECTS} objects of 10 subscribers each, 500 changes a second in all; ${TIMES * CHANGES_A_TIME} changes`,
      ],
    },
    {
      name: `a change until all of ${FEW} have it, alone`,
      unit: 'ms',
      target: {},
      ...alone,
      floors: [],
      peers: peers('aloneMs'),
      notes: theirs ? [`${PEER_NOTE}; its clients decode what comes, ours count messages`] : [],
    },
  ];
}

async function gatherFew(join: Join): Promise<Side> {
  const few: Member[] = [];
  for (let i = 0; i <= FEW; i++) few.push(await join('few'));
  return { join, few, aloneMs: [], busyMs: [] };
}

async function timeChanges(few: readonly Member[], samplesMs: number[]): Promise<void> {
  let missing = 0;
  let done = () => {};
  for (const member of few) {
    member.onChange = () => {
      if (--missing === 0) done();
    };
  }
  for (let i = 0; i < CHANGES_A_TIME; i++) {
    const startedAt = performance.now();
    missing = few.length;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    few[0]!.set('x', samplesMs.length);
    await all;
    samplesMs.push(performance.now() - startedAt);
    await sleep(2);
  }
}

/** Objects whose subscribers write at random while they are busy. */
interface Crowd {
  isBusy: boolean;
  close(): void;
}

async function gatherCrowd(join: Join): Promise<Crowd> {
  const members: Member[] = [];
  for (let object = 0; object < OBJECTS; object++) {
    for (let i = 0; i < 10; i++) members.push(await join(`crowd${object}`));
  }
  let step = 0;
  const timer = setInterval(() => {
    for (let i = 0; crowd.isBusy && i < 5; i++) {
      const member = members[Math.floor(Math.random() * members.length)]!;
      member.set(`s${step % 7}`, step++);
    }
  }, 10);
  const crowd: Crowd = {
    isBusy: false,
    close() {
      clearInterval(timer);
      for (const member of members) member.close();
    },
  };
  return crowd;
}
