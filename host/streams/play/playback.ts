import { describe, type StatusCode } from '../../../wire/status.ts';
import type { PlayRequest, StreamChange } from '../../rtmp/ports.ts';
import type { StreamDirectory } from '../directory.ts';
import { FileProblem, type MediaFile } from '../files/media-files.ts';
import type { Voice } from '../voice.ts';
import { FileItem } from './file-item.ts';
import type { Item, Wants } from './item.ts';
import { LiveItem } from './live-item.ts';
import { Transition } from './transition.ts';

/** What plays needs of its NetStream. */
export interface PlaybackOwner {
  readonly streams: StreamDirectory;
  /** Whether the player may read the raw samples of that stream. */
  sampleAccess(name: string): { audio: boolean; video: boolean };
  /** The client reads too slowly for what it plays: it is disconnected. */
  tooSlow(): void;
}

/** Items of one playlist. */
const MAX_ITEMS = 1000;
const LIVE_ONLY = -1000;
const CODES: Readonly<Record<FileProblem['kind'], StatusCode>> = {
  'not-found': 'NetStream.Play.StreamNotFound',
  structure: 'NetStream.Play.FileStructureInvalid',
  'no-track': 'NetStream.Play.NoSupportedTrackFound',
  io: 'NetStream.Play.Failed',
  busy: 'NetStream.Play.Failed',
};

/** What a NetStream plays: a list of live streams and files, one after the other (the reference's section 18.2). */
export class Playback {
  readonly #voice: Voice;
  readonly #owner: PlaybackOwner;
  readonly #wants: Wants;
  readonly #list: PlayRequest[] = [];
  #item: Item | undefined;
  /** What `#item` plays. */
  #current: PlayRequest | undefined;
  readonly #transition: Transition;
  #bufferMs: number;
  /** Files that are being looked for; another beginning makes it void. */
  #search = 0;
  #isStarting = false;
  /** While an item is being looked for. */
  #soughtMs: number | undefined;
  /** The last item has ended; a file of it can be sought all the same. */
  #isFinished = false;
  #isPaused = false;

  constructor(voice: Voice, owner: PlaybackOwner, wants: Wants, bufferMs: number) {
    this.#voice = voice;
    this.#owner = owner;
    this.#wants = wants;
    this.#bufferMs = bufferMs;
    this.#transition = new Transition(voice, owner.streams, {
      item: () => this.#item,
      isPaused: () => this.#isPaused,
      makeLive: (request, began) => this.#makeLive(request, began),
      makeFile: (request, file) => this.#makeFile(request, file),
      replace: (next, request) => {
        this.#item?.close();
        this.#item = next;
        this.#current = request;
        next.setBuffer(this.#bufferMs);
      },
    });
  }

  /** Nothing has been played yet, nor is about to be. */
  get isEmpty(): boolean {
    return !this.#item && !this.#isStarting;
  }

  /** Plays at once, in the place of all there is, or when that has ended. */
  add(request: PlayRequest): void {
    if (request.change) return this.#change(request, request.change);
    if (request.isReset) this.close();
    const { name } = request.stream;
    if (this.#list.length >= MAX_ITEMS) {
      this.#voice.status('NetStream.Play.Failed', `a playlist has at most ${MAX_ITEMS} items`, name);
      return;
    }
    this.#list.push(request);
    if ((!this.#item || this.#isFinished) && !this.#isStarting) this.#next();
  }

  pause(isPaused: boolean, positionMs: number | undefined): void {
    this.#isPaused = isPaused;
    this.#item?.pause(isPaused, positionMs);
  }

  seek(positionMs: number): void {
    this.#isFinished = false;
    // What is about to take its place is the same elsewhere.
    this.#transition.complete();
    if (this.#isStarting) this.#soughtMs = positionMs;
    else this.#item?.seek(positionMs);
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    this.#item?.receive(medium, isWanted);
  }

  limitFrames(fps: number | undefined): void {
    this.#item?.limitFrames(fps);
  }

  setBuffer(bufferMs: number): void {
    this.#bufferMs = bufferMs;
    this.#item?.setBuffer(bufferMs);
  }

  played(timestamp: number): void {
    this.#item?.played?.(timestamp);
  }

  close(): void {
    this.#search++;
    this.#isStarting = false;
    this.#isPaused = false;
    this.#soughtMs = undefined;
    this.#list.length = 0;
    this.#closeItem();
  }

  #closeItem(): void {
    this.#item?.close();
    this.#item = undefined;
    this.#current = undefined;
    this.#isFinished = false;
    this.#transition.close();
  }

  #change(request: PlayRequest, { kind, old }: StreamChange): void {
    const isCurrent = this.#current && !this.#isFinished && (old === '' || this.#current.stream.name === old);
    if (kind === 'switch' && isCurrent) {
      const search = ++this.#search;
      this.#isStarting = false;
      const isStale = () => search !== this.#search;
      void this.#transition.begin(request, isStale).catch((error: unknown) => {
        if (!(error instanceof FileProblem)) return this.#voice.transport.fail(error);
        if (!isStale()) this.#transition.refuse(request, error.message);
      });
      return;
    }
    const at = this.#list.findIndex(({ stream }) => stream.name === old);
    if (at < 0) return this.#transition.refuse(request, `${old} is not to be played`);
    this.#list[at] = { ...request, isReset: false };
    this.#transition.tell(request);
  }

  #next(): void {
    const request = this.#list.shift();
    if (!request) return;
    this.#closeItem();
    this.#isStarting = true;
    const search = ++this.#search;
    void this.#start(request, search).catch((error: unknown) => {
      if (!(error instanceof FileProblem)) return this.#voice.transport.fail(error);
      if (search !== this.#search) return;
      const { name } = request.stream;
      this.#owner.streams.library.complain(name, error.message);
      this.#voice.status(CODES[error.kind], `Failed to play ${name}; ${error.message}.`, name);
      this.#isStarting = false;
      this.#next();
    });
  }

  async #start(request: PlayRequest, search: number): Promise<void> {
    const { stream, startMs } = request;
    const { streams } = this.#owner;
    if (startMs === LIVE_ONLY || (startMs < 0 && streams.find(stream.name)?.publisher))
      return this.#playLive(request);
    const file = await streams.library.open(stream);
    if (search !== this.#search) {
      file?.release();
      return;
    }
    if (file) this.#playFile(request, file);
    else if (startMs < 0) this.#playLive(request);
    else {
      this.#voice.status('NetStream.Play.StreamNotFound', describe.streamNotFound(stream.name), stream.name);
      this.#isStarting = false;
      this.#next();
    }
  }

  #playLive(request: PlayRequest): void {
    const item = this.#makeLive(request);
    this.#announce(request, item);
    item.start();
  }

  #makeLive(request: PlayRequest, began?: () => void): LiveItem {
    const item: LiveItem = new LiveItem(
      this.#owner.streams.open(request.stream.name),
      this.#voice,
      { ...this.#wants },
      request.durationMs,
      this.#owner.streams.codecPolicy,
      {
        ended: () => this.#ended(item, request),
        failed: () => {},
        tooSlow: () => this.#owner.tooSlow(),
        began,
      },
    );
    return item;
  }

  #playFile(request: PlayRequest, file: MediaFile): void {
    const item = this.#makeFile(request, file);
    this.#voice.event('StreamIsRecorded');
    this.#announce(request, item);
    item.setBuffer(request.isAtOnce ? Number.POSITIVE_INFINITY : this.#bufferMs);
    item.start(Math.max(0, request.startMs));
    if (this.#isPaused) item.pause(true, undefined);
    if (this.#soughtMs !== undefined) item.seek(this.#soughtMs);
    this.#soughtMs = undefined;
  }

  #makeFile(request: PlayRequest, file: MediaFile): FileItem {
    const { stream, durationMs } = request;
    const startMs = Math.max(0, request.startMs);
    const { pacer, library } = this.#owner.streams;
    const item: FileItem = new FileItem(
      stream.name,
      file,
      { startMs, durationMs },
      this.#voice,
      { ...this.#wants },
      pacer,
      this.#owner.streams.codecPolicy,
      {
        ended: () => this.#ended(item, request, item),
        failed: (description) => {
          library.complain(stream.name, description);
          this.#voice.status('NetStream.Play.Failed', `${stream.name}: ${description}.`, stream.name);
          this.#ended(item, request, item);
        },
      },
    );
    return item;
  }

  #announce(request: PlayRequest, item: Item): void {
    const {
      stream: { name },
      isReset,
    } = request;
    this.#isStarting = false;
    this.#item = item;
    this.#current = request;
    const voice = this.#voice;
    voice.event('StreamBegin');
    if (isReset) voice.status('NetStream.Play.Reset', describe.playReset(name), name);
    voice.status('NetStream.Play.Start', describe.playStarted(name), name);
    // Flash Player lets nobody at the samples unless it is told so (the reference's section 6.1, audioSampleAccess).
    const { audio, video } = this.#owner.sampleAccess(name);
    if (audio || video) voice.data(0, '|RtmpSampleAccess', audio, video);
  }

  #ended(item: Item, { stream: { name } }: PlayRequest, file?: FileItem): void {
    if (item !== this.#item) return;
    if (this.#transition.complete()) return;
    const voice = this.#voice;
    const at = file ? Math.max(0, file.endMs - file.originMs) : 0;
    if (this.#list.length > 0) {
      voice.data(at, 'onPlayStatus', { level: 'status', code: 'NetStream.Play.Switch' });
      return this.#next();
    }
    if (file) this.#isFinished = true;
    else this.#closeItem();
    voice.data(at, 'onPlayStatus', { level: 'status', code: 'NetStream.Play.Complete', ...file?.figures });
    voice.status('NetStream.Play.Stop', describe.playStopped(name), name);
    voice.event('StreamEof');
  }
}
