import { describe, type StatusCode } from '../../../wire/status.ts';
import type { PlayRequest } from '../../rtmp/ports.ts';
import type { StreamDirectory } from '../directory.ts';
import { FileProblem, type MediaFile } from '../files/media-files.ts';
import type { Voice } from '../voice.ts';
import { FileItem } from './file-item.ts';
import type { Item, Wants } from './item.ts';
import { LiveItem } from './live-item.ts';

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
  #bufferMs: number;
  /** Files that are being looked for; another beginning makes it void. */
  #search = 0;
  #isStarting = false;
  /** The last item has ended; a file of it can be sought all the same. */
  #isFinished = false;
  #isPaused = false;

  constructor(voice: Voice, owner: PlaybackOwner, wants: Wants, bufferMs: number) {
    this.#voice = voice;
    this.#owner = owner;
    this.#wants = wants;
    this.#bufferMs = bufferMs;
  }

  /** Plays at once, in the place of all there is, or when that has ended. */
  add(request: PlayRequest): void {
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
    this.#item?.seek(positionMs);
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    this.#item?.receive(medium, isWanted);
  }

  setBuffer(bufferMs: number): void {
    this.#bufferMs = bufferMs;
    this.#item?.setBuffer(bufferMs);
  }

  close(): void {
    this.#search++;
    this.#isStarting = false;
    this.#isPaused = false;
    this.#list.length = 0;
    this.#closeItem();
  }

  #closeItem(): void {
    this.#item?.close();
    this.#item = undefined;
    this.#isFinished = false;
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
    const item = new LiveItem(
      this.#owner.streams.open(request.stream.name),
      this.#voice,
      { ...this.#wants },
      request.durationMs,
      this.#owner.streams.codecPolicy,
      {
        ended: () => this.#ended(item, request),
        failed: () => {},
        tooSlow: () => this.#owner.tooSlow(),
      },
    );
    this.#announce(request, item);
    item.start();
  }

  #playFile(request: PlayRequest, file: MediaFile): void {
    const { stream, durationMs, isAtOnce } = request;
    const startMs = Math.max(0, request.startMs);
    const { pacer, library } = this.#owner.streams;
    const item = new FileItem(
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
    this.#voice.event('StreamIsRecorded');
    this.#announce(request, item);
    item.setBuffer(isAtOnce ? Number.POSITIVE_INFINITY : this.#bufferMs);
    item.start(startMs);
    if (this.#isPaused) item.pause(true, undefined);
  }

  #announce({ stream: { name }, isReset }: PlayRequest, item: Item): void {
    this.#isStarting = false;
    this.#item = item;
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
    const voice = this.#voice;
    const at = file?.endMs ?? 0;
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
