import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { describe, type StatusCode } from '../../../wire/status.ts';
import { type StreamName, streamNameText } from '../../../wire/stream-name.ts';
import { StagewireError } from '../../base/errors.ts';
import type { LinkPlace } from '../../links/link.ts';
import type { StreamDirectory } from '../directory.ts';
import { FileProblem, type MediaFile } from '../files/media-files.ts';
import type { LiveStream, Publisher } from '../live-stream.ts';
import { LoopMark } from '../loop-mark.ts';
import { relay } from '../relay.ts';
import { Timeline } from '../timeline.ts';
import { FileSource } from './file-source.ts';
import { LiveSource } from './live-source.ts';
import { RemoteSource } from './remote-source.ts';
import type { Source } from './source.ts';

/** An item of a server's playlist, with the times of `PlayRequest`. */
export interface BroadcastItem {
  readonly stream: StreamName;
  readonly startMs: number;
  readonly durationMs: number;
  /** The instance that it is a stream of; undefined for this one. `patienceMs`: for each answer of that one. */
  readonly remote?: { readonly place: LinkPlace; readonly patienceMs: number } | undefined;
}

/** Tells the script: a code, its description, and the name of the item. */
export type TellScript = (code: StatusCode, description: string, details: string) => void;

const MAX_ITEMS = 1000;
const LIVE_ONLY = -1000;
const LINGER_MS = 500;
const MARK_EVERY_MS = 2000;
/** Streams that play streams that play streams. */
const MAX_CHAIN = 32;
/** How many of them the message has come through that is on its way now. */
let chain = 0;

/**
 * A live stream whose source is the server: files and other live streams one after the other, which its viewers see
 * as one (the reference's section 10.3). While it lasts nobody else publishes under that name.
 */
export class Broadcast implements Publisher {
  readonly clientId = '';
  readonly #streams: StreamDirectory;
  readonly #stream: LiveStream;
  readonly #tell: TellScript;
  readonly #onEnd: () => void;
  readonly #list: BroadcastItem[] = [];
  readonly #timeline = new Timeline();
  #source: Source | undefined;
  /** The live stream that it plays at present. */
  #plays: LiveStream | undefined;
  #run = 0;
  #isStarting = false;
  #isStopped = false;
  #linger: NodeJS.Timeout | undefined;
  receivesAudio = true;
  receivesVideo = true;
  /** Of what comes from another server, ahead of its time. */
  #bufferMs = 0;

  constructor(stream: LiveStream, streams: StreamDirectory, tell: TellScript, onEnd: () => void) {
    this.#stream = stream;
    this.#streams = streams;
    this.#tell = tell;
    this.#onEnd = onEnd;
    stream.publish(this);
  }

  set bufferMs(ms: number) {
    if (ms === this.#bufferMs) return;
    this.#bufferMs = ms;
    if (this.#source instanceof RemoteSource) this.#source.setBuffer(ms);
  }

  /** False when the list is full. */
  add(item: BroadcastItem, isReset: boolean): boolean {
    if (isReset) {
      this.#list.length = 0;
      this.#leave();
      this.#tell('NetStream.Play.Reset', describe.playReset(item.stream.name), item.stream.name);
    }
    if (this.#list.length >= MAX_ITEMS) return false;
    clearTimeout(this.#linger);
    this.#list.push(item);
    if (!this.#source && !this.#isStarting) this.#next();
    return true;
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#linger);
    this.#list.length = 0;
    this.#leave();
    this.#stream.unpublish(this);
    this.#onEnd();
  }

  isAlive(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Another broadcast, or none, takes the name. */
  evicted(): void {
    this.stop();
  }

  /** Of the client that it all comes from, if that knows how. */
  get forceKeyFrame(): (() => void) | undefined {
    let at = this.#plays;
    for (let depth = 0; at && depth < MAX_CHAIN; depth++) {
      const { publisher }: LiveStream = at;
      if (!(publisher instanceof Broadcast)) {
        const first = at;
        return publisher?.forceKeyFrame && (() => void first.askKeyFrame());
      }
      at = publisher.#plays;
    }
    return undefined;
  }

  /** Whether what it plays comes, by whatever way, from that stream. */
  comesFrom(stream: LiveStream): boolean {
    let at: LiveStream | undefined = this.#plays;
    for (let depth = 0; at; depth++) {
      if (at === stream || depth > MAX_CHAIN) return true;
      const { publisher } = at as LiveStream;
      at = publisher instanceof Broadcast ? publisher.#plays : undefined;
    }
    return false;
  }

  #next(): void {
    this.#leave();
    const item = this.#list.shift();
    if (!item) return;
    const run = this.#run;
    this.#isStarting = true;
    this.#start(item, run).catch((error: unknown) => {
      const problem = error instanceof FileProblem ? error.message : String(error);
      if (run === this.#run) this.#fail(item, problem);
    });
  }

  async #start(item: BroadcastItem, run: number): Promise<void> {
    const { stream: named, startMs } = item;
    if (item.remote) return this.#playRemote(item, item.remote);
    const live = this.#streams.find(named.name);
    if (startMs === LIVE_ONLY || (startMs < 0 && live?.publisher && live !== this.#stream))
      return this.#playLive(item);
    const file = await this.#streams.library.open(named);
    if (run !== this.#run) {
      file?.release();
      return;
    }
    if (file) this.#playFile(item, file);
    else if (startMs < 0) this.#playLive(item);
    else this.#notFound(item);
  }

  #notFound(item: BroadcastItem): void {
    const { name } = item.stream;
    this.#tell('NetStream.Play.StreamNotFound', describe.streamNotFound(name), name);
    this.#isStarting = false;
    this.#goOn(item);
  }

  #playLive(item: BroadcastItem): void {
    const { name } = item.stream;
    const source = this.#streams.open(name);
    this.#plays = source;
    if (this.comesFrom(this.#stream)) {
      this.#plays = undefined;
      return this.#fail(item, 'it would play itself');
    }
    const run = this.#run;
    const published = (isThere: boolean) => run === this.#run && this.#published(name, isThere);
    this.#begin(item, new LiveSource(source, item.durationMs, { ...this.#endOf(item, run), published }));
  }

  #published(name: string, isThere: boolean): void {
    if (isThere) this.#tell('NetStream.Play.PublishNotify', describe.published(name), name);
    else this.#tell('NetStream.Play.UnpublishNotify', describe.unpublished(name), name);
  }

  /** It has started when the other side says so. */
  #playRemote(item: BroadcastItem, { place, patienceMs }: NonNullable<BroadcastItem['remote']>): void {
    const { stream, startMs, durationMs } = item;
    const { name } = stream;
    const run = this.#run;
    const isCurrent = () => run === this.#run;
    const mark = new LoopMark();
    const end = this.#endOf(item, run);
    // Not only once: what makes the ring complete may come later.
    const reminder = setInterval(() => {
      if (!isCurrent()) clearInterval(reminder);
      else if (source.hasStarted) this.#stream.pass(mark.message);
    }, MARK_EVERY_MS).unref();
    const source: RemoteSource = new RemoteSource(
      { place, name: streamNameText(stream), startMs, durationMs },
      { bufferMs: this.#bufferMs, patienceMs, pacer: this.#streams.broadcastPacer },
      {
        ...end,
        take: (message) => {
          if (isCurrent() && mark.is(message)) this.#fail(item, 'it would play itself');
          else end.take(message);
        },
        started: () => {
          if (!isCurrent()) return;
          this.#started(name);
          this.#stream.pass(mark.message);
        },
        published: (isThere) => {
          if (!isCurrent()) return;
          this.#published(name, isThere);
          if (isThere) this.#stream.pass(mark.message);
        },
        notFound: () => isCurrent() && this.#notFound(item),
      },
    );
    this.#isStarting = false;
    this.#source = source;
    source.start();
  }

  #playFile(item: BroadcastItem, file: MediaFile): void {
    const range = { startMs: Math.max(0, item.startMs), durationMs: item.durationMs };
    const source = new FileSource(file, range, this.#streams.broadcastPacer, this.#endOf(item, this.#run));
    this.#begin(item, source);
  }

  #begin({ stream: { name } }: BroadcastItem, source: Source): void {
    this.#isStarting = false;
    this.#source = source;
    this.#started(name);
    source.start();
  }

  #started(name: string): void {
    this.#timeline.splice();
    this.#tell('NetStream.Play.Start', describe.playStarted(name), name);
  }

  #endOf(item: BroadcastItem, run: number) {
    const isCurrent = () => run === this.#run;
    return {
      take: (message: RtmpMessage) => {
        if (!isCurrent()) return;
        // What it plays may have come to play others long after this one began.
        if (chain >= MAX_CHAIN) this.#fail(item, `more than ${MAX_CHAIN} streams play one another`);
        else this.#take(message);
      },
      ended: () => {
        if (isCurrent()) this.#goOn(item);
      },
      failed: (description: string) => {
        if (isCurrent()) this.#fail(item, description);
      },
    };
  }

  #take(message: RtmpMessage): void {
    if (message.type === MessageType.Audio && !this.receivesAudio) return;
    if (message.type === MessageType.Video && !this.receivesVideo) return;
    // Servers give what a late joiner gets a time of its own, mostly 0.
    const isAside = isData(message) && this.#source instanceof RemoteSource;
    const timestamp = (isAside ? this.#timeline.endMs : this.#timeline.map(message, performance.now())) >>> 0;
    chain++;
    try {
      relay(this.#stream, { ...message, timestamp });
    } catch (error) {
      // Data that cannot be read is dropped, the stream goes on.
      if (!(error instanceof StagewireError)) throw error;
    } finally {
      chain--;
    }
  }

  #fail(item: BroadcastItem, description: string): void {
    const { name } = item.stream;
    this.#streams.library.complain(name, description);
    this.#tell('NetStream.Play.Failed', description, name);
    this.#isStarting = false;
    this.#goOn(item);
  }

  /** Some time after the last item the name is free again: a script that plays on makes no gap. */
  #goOn({ stream: { name } }: BroadcastItem): void {
    if (this.#list.length > 0) return this.#next();
    this.#leave();
    this.#tell('NetStream.Play.Stop', describe.playStopped(name), name);
    // The script may have heard of the end by now and go on.
    this.#linger = setTimeout(() => this.stop(), LINGER_MS);
  }

  #leave(): void {
    this.#run++;
    this.#isStarting = false;
    this.#source?.close();
    this.#source = undefined;
    this.#plays = undefined;
  }
}

function isData({ type }: RtmpMessage): boolean {
  return type === MessageType.DataAmf0 || type === MessageType.DataAmf3;
}
