import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { MachineLoad, treeCpuMs } from '../support/busy.ts';
import { GROUP_SECONDS, MediaSource, type Sent } from '../support/media.ts';
import { Viewers } from '../support/viewers.ts';
import { openPublisher, type Publisher, Sampler, viewerPortOf } from './ends.ts';
import type { Target } from './targets.ts';

/** Between the portions in which viewers join: what comes first in a server's list is told first. */
const SAMPLERS = 5;
/** RTMP's header of a message in one chunk; that of a WebSocket's is a byte shorter, and frames have a head, too. */
const HEADER_BYTES = 12;
/** How far from what is due the bytes that a viewer got may be. */
const TOLERANCE = 0.02;
/** What is under way when the publisher ends: a window and more. */
const SETTLE_MS = 150;
const PATIENCE_MS = 4000;

/** What one run of a stream cost. */
export interface Run {
  /** The server's processor time for each viewer and second. */
  costUs: number;
  agesMs: number[];
  /** Share of all processors that was busy, from 0 to 1. */
  machine: number;
  /** The same of what is none of the bench's: with much of it all figures are worth less. */
  others: number;
  /** Of one processor: what the viewers took. */
  viewersLoad: number;
  /** How late the publisher was at the worst. */
  lateMs: number;
  /** What went wrong, if something did. */
  problems: string[];
}

/** A target with its streams, and those who watch them. Streams rest between runs. */
export class Show {
  readonly target: Target;
  readonly #stream: string;
  readonly #sources: { media: MediaSource; publisher: Publisher }[] = [];
  #viewers: Viewers | undefined;
  #samplers: Sampler[] = [];

  private constructor(target: Target, stream: string) {
    this.target = target;
    this.#stream = stream;
  }

  /** Begins so many streams of that rate. */
  static async open(target: Target, kbps: number, streams = 1, prefix = 's'): Promise<Show> {
    const show = new Show(target, `${prefix}%d`);
    for (let i = 0; i < streams; i++) {
      const publisher = await openPublisher(target, `${prefix}${i}`);
      const media = new MediaSource(kbps);
      for (const message of media.opening()) publisher.send(message);
      show.#sources.push({ media, publisher });
    }
    return show;
  }

  /** Sends away who was there, and lets others in: of all streams alike. */
  async seat(count: number): Promise<void> {
    await this.#empty();
    const { app, transport } = this.target;
    const streams = this.#sources.length;
    const what = app === undefined ? undefined : { app, stream: this.#stream };
    this.#viewers = await Viewers.start(viewerPortOf(this.target), transport, what);
    const bulk = count - SAMPLERS;
    for (let i = 0; i < SAMPLERS; i++) {
      this.#samplers.push(await Sampler.open(this.target, this.nameOf(0)));
      const share = (part: number) => Math.round((bulk * part) / (SAMPLERS - 1));
      if (i < SAMPLERS - 1) await this.#viewers.open(share(i + 1) - share(i), streams);
    }
    for (const { media, publisher } of this.#sources) publisher.send(media.keyFrame());
    await sleep(SETTLE_MS);
  }

  /** Lets some in who never read. */
  async seatStuck(count: number): Promise<void> {
    await this.#viewers!.openStuck(count);
  }

  /** What the stream of that number is called. */
  nameOf(number: number): string {
    return this.#stream.replace('%d', String(number));
  }

  /** Plays all streams until something is over. */
  async playUntil(over: Promise<void>): Promise<void> {
    let isOver = false;
    const noted = over.finally(() => {
      isOver = true;
    });
    await Promise.all([
      noted,
      ...this.#sources.map(async ({ media, publisher }) => {
        while (!isOver) await media.play(GROUP_SECONDS, (message) => publisher.send(message));
      }),
    ]);
  }

  /** Plays all streams for so many seconds. */
  async run(seconds: number): Promise<Run> {
    const viewers = this.#viewers!;
    const { pid } = this.target;
    await viewers.zero();
    for (const sampler of this.#samplers) sampler.begin();
    const load = new MachineLoad();
    const startedAt = performance.now();
    const before = { server: treeCpuMs(pid), viewers: treeCpuMs(viewers.pid), bench: treeCpuMs(process.pid) };
    const sent = await Promise.all(
      this.#sources.map(async ({ media, publisher }, index) => {
        // Nobody's streams keep time together.
        await sleep((index / this.#sources.length) * 1000);
        return media.play(seconds, (message) => publisher.send(message));
      }),
    );
    const machine = load.look();
    const elapsedMs = performance.now() - startedAt;
    const known = treeCpuMs(process.pid) - before.bench;
    const problems = await this.#settle(sent);
    const cpu = { server: treeCpuMs(pid) - before.server, viewers: treeCpuMs(viewers.pid) - before.viewers };
    const { bytes, viewers: bulk } = await viewers.seen();
    // What was delivered counts: a server that merges may keep back the end of one run until the next.
    const viewerSeconds = (bulk + this.#samplers.length) * seconds * (bytes / (dueOf(sent) * bulk));
    const lateMs = Math.max(...sent.map((one) => one.lateMs));
    return {
      costUs: (cpu.server * 1000) / viewerSeconds,
      agesMs: this.#samplers.flatMap(({ agesMs }) => agesMs),
      machine,
      others: Math.max(0, machine - known / (elapsedMs * availableParallelism())),
      viewersLoad: cpu.viewers / (seconds * 1000),
      lateMs,
      problems,
    };
  }

  /** Waits until everybody has what is due, and says who has not. */
  async #settle(sent: readonly Sent[]): Promise<string[]> {
    const due = dueOf(sent);
    const tolerance = this.target.tolerance ?? TOLERANCE;
    const deadline = performance.now() + PATIENCE_MS;
    await sleep(SETTLE_MS);
    for (;;) {
      const { least, most, closed, fewest, mostMessages } = await this.#viewers!.seen();
      const isWhole = least > due * (1 - tolerance) && most < due * (1 + tolerance);
      const isCounted =
        fewest === undefined || (fewest === sent[0]!.messages && mostMessages === sent[0]!.messages);
      if (isWhole && isCounted && closed === 0) return [];
      const isLess = fewest === undefined ? least < due : fewest < sent[0]!.messages;
      if (performance.now() < deadline && isLess && closed === 0) {
        await sleep(SETTLE_MS);
        continue;
      }
      const percent = (value: number) => `${((value / due) * 100).toFixed(1)} %`;
      const counted =
        fewest === undefined ? '' : ` (${fewest} to ${mostMessages} of ${sent[0]!.messages} messages)`;
      const problem = `viewers got ${percent(least)} to ${percent(most)} of what they should${counted}`;
      return [closed > 0 ? `${problem}, ${closed} were closed` : problem];
    }
  }

  async close(): Promise<void> {
    await this.#empty();
    for (const { publisher } of this.#sources) publisher.close();
  }

  async #empty(): Promise<void> {
    for (const sampler of this.#samplers) sampler.close();
    this.#samplers = [];
    await this.#viewers?.stop();
    this.#viewers = undefined;
  }
}

/** What each viewer should get: all streams are alike but for a message. */
function dueOf(sent: readonly Sent[]): number {
  const { bytes, messages } = sent[0]!;
  return bytes + messages * HEADER_BYTES;
}
