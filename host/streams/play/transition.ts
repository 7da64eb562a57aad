import type { PlayRequest } from '../../rtmp/ports.ts';
import type { StreamDirectory } from '../directory.ts';
import type { MediaFile } from '../files/media-files.ts';
import type { Voice } from '../voice.ts';
import { FileItem } from './file-item.ts';
import type { Item } from './item.ts';
import { LiveItem } from './live-item.ts';
import { nextKeyFrame } from './next-key-frame.ts';

/** What plays, and what may take its place. */
export interface Stage {
  item(): Item | undefined;
  isPaused(): boolean;
  makeLive(request: PlayRequest, began: () => void): LiveItem;
  makeFile(request: PlayRequest, file: MediaFile): FileItem;
  /** The item that plays is closed, and this one plays. */
  replace(item: Item, request: PlayRequest): void;
}

interface UpNext {
  readonly request: PlayRequest;
  readonly file: MediaFile;
  readonly atMs: number;
}

/** `play2`: what plays goes on as the same at another bit rate, from that one's next key frame on. */
export class Transition {
  readonly #voice: Voice;
  readonly #streams: StreamDirectory;
  readonly #stage: Stage;
  /** Goes on where the present file ends. */
  #upNext: UpNext | undefined;
  /** Takes the place of the present live stream with its first key frame. */
  #coming: LiveItem | undefined;

  constructor(voice: Voice, streams: StreamDirectory, stage: Stage) {
    this.#voice = voice;
    this.#streams = streams;
    this.#stage = stage;
  }

  /** `isStale`: something else was begun meanwhile. Rejects with a FileProblem. */
  async begin(request: PlayRequest, isStale: () => boolean): Promise<void> {
    const item = this.#stage.item();
    if (item instanceof LiveItem) this.#beginLive(request);
    else if (item instanceof FileItem)
      await this.#beginFile(request, item, () => isStale() || item !== this.#stage.item());
  }

  /** Goes on with what is found, since the present file is over or is to be elsewhere; false when there is nothing. */
  complete(): boolean {
    if (!this.#upNext) return false;
    const { request, file, atMs } = this.#upNext;
    this.#upNext = undefined;
    const item = this.#stage.item();
    const next = this.#stage.makeFile({ ...request, startMs: atMs }, file);
    this.#stage.replace(next, request);
    if (item instanceof FileItem) next.goOn(atMs, item);
    else next.start(atMs);
    if (this.#stage.isPaused()) next.pause(true, undefined);
    this.#tellComplete(request, atMs - next.originMs);
    return true;
  }

  /** What was to come does not. */
  close(): void {
    this.#upNext?.file.release();
    this.#upNext = undefined;
    this.#coming?.close();
    this.#coming = undefined;
  }

  /** A client hears of it before anything of the other comes. */
  tell({ stream: { name } }: PlayRequest): void {
    const more = { reason: 'NetStream.Transition.Success' };
    this.#voice.status('NetStream.Play.Transition', `Changing to ${name}.`, name, more);
  }

  refuse({ stream: { name } }: PlayRequest, why: string): void {
    this.#voice.status('NetStream.Play.Failed', `Failed to change to ${name}; ${why}.`, name);
  }

  #beginLive(request: PlayRequest): void {
    if (!this.#streams.find(request.stream.name)?.publisher)
      return this.refuse(request, 'nobody publishes it');
    this.#coming?.close();
    const coming = this.#stage.makeLive(request, () => {
      if (this.#coming !== coming) return;
      this.#coming = undefined;
      this.#stage.replace(coming, request);
      this.#tellComplete(request, 0);
    });
    this.#coming = coming;
    this.tell(request);
    coming.startAtKeyFrame();
  }

  async #beginFile(request: PlayRequest, item: FileItem, isStale: () => boolean): Promise<void> {
    const file = await this.#streams.library.open(request.stream);
    if (!file || isStale()) {
      file?.release();
      if (!isStale()) this.refuse(request, 'there is no such recording');
      return;
    }
    const atMs = await nextKeyFrame(file, item.endMs).catch((error: unknown) => {
      file.release();
      throw error;
    });
    if (atMs === undefined || isStale()) {
      file.release();
      if (!isStale()) this.refuse(request, 'no key frame follows in it');
      return;
    }
    this.#upNext?.file.release();
    this.#upNext = { request, file, atMs };
    this.tell(request);
    item.endAt(atMs);
  }

  #tellComplete({ stream: { name } }: PlayRequest, timestamp: number): void {
    const code = 'NetStream.Play.TransitionComplete';
    this.#voice.data(timestamp, 'onPlayStatus', { level: 'status', code, details: name });
  }
}
