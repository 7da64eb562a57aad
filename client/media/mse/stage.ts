import type { Setup } from '../codecs/setup.ts';
import type { Segment } from '../fmp4/track-muxer.ts';
import type { Kind } from '../unit.ts';
import { type SourceOwner, SourceQueue } from './source-queue.ts';

type Source = typeof MediaSource;

const MAX_EARLY_BYTES = 32 << 20;

/** What the browser has: iPhones have only the managed kind. `undefined` where there is none. */
function sourceClass(): Source | undefined {
  const { ManagedMediaSource, MediaSource } = globalThis as {
    ManagedMediaSource?: Source;
    MediaSource?: Source;
  };
  return ManagedMediaSource ?? MediaSource;
}

export function mimeOf({ kind, codec }: Setup): string {
  return `${kind}/mp4; codecs="${codec}"`;
}

export function canPlay(setup: Setup): boolean {
  return sourceClass()?.isTypeSupported(mimeOf(setup)) === true;
}

/**
 * One MediaSource of a media element, with a SourceBuffer for each track. Which tracks there are cannot change once it plays:
 * then the next stage takes its place.
 */
export class Stage {
  readonly kinds: ReadonlySet<Kind>;
  readonly #owner: SourceOwner;
  readonly #queues = new Map<Kind, SourceQueue>();
  readonly #mimes = new Map<Kind, string>();
  /** Until the source is open. */
  #early: Segment[] | undefined = [];
  #earlyBytes = 0;
  readonly #source = new (sourceClass()!)();
  #isClosed = false;

  constructor(element: HTMLMediaElement, inits: ReadonlyMap<Kind, Segment>, owner: SourceOwner) {
    this.#owner = owner;
    this.kinds = new Set(inits.keys());
    const source = this.#source;
    const url = URL.createObjectURL(source);
    source.onsourceopen = () => {
      URL.revokeObjectURL(url);
      // It opens again when something is removed from what had ended.
      if (this.#isClosed || !this.#early) return;
      source.duration = Infinity;
      try {
        for (const [kind, { setup }] of inits) this.#addTrack(source, kind, setup!);
      } catch (error) {
        return owner.broken(String(error));
      }
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const segment of early) this.append(segment);
    };
    element.disableRemotePlayback = true; // the managed kind plays only so
    element.src = url;
    for (const init of inits.values()) this.append(init);
  }

  /** Of its kinds. Throws nothing: what goes wrong the owner is told. */
  append(segment: Segment): void {
    const { kind, setup, bytes } = segment;
    if (this.#isClosed) return;
    if (this.#early) {
      this.#early.push(segment);
      this.#earlyBytes += bytes.length;
      if (this.#earlyBytes > MAX_EARLY_BYTES)
        this.#owner.broken('the browser does not open what is to be played');
      return;
    }
    const queue = this.#queues.get(kind);
    const mime = setup && mimeOf(setup);
    if (mime !== undefined && mime !== this.#mimes.get(kind)) {
      queue?.changeType(mime);
      this.#mimes.set(kind, mime);
    }
    queue?.append(bytes);
  }

  /** All is there, unless more comes: the element need not wait for anything at its end. Nothing while it is busy. */
  end(): void {
    if (this.#early || this.#source.readyState !== 'open') return;
    for (const queue of this.#queues.values()) if (!queue.isIdle) return;
    this.#source.endOfStream();
  }

  /** Forgets what was shown before. */
  trim(untilS: number): void {
    for (const queue of this.#queues.values()) {
      const { buffered } = queue;
      if (buffered.length > 0 && buffered.start(0) < untilS) queue.remove(0, untilS);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#early = [];
    for (const queue of this.#queues.values()) queue.close();
  }

  #addTrack(source: MediaSource, kind: Kind, setup: Setup): void {
    const mime = mimeOf(setup);
    this.#mimes.set(kind, mime);
    this.#queues.set(kind, new SourceQueue(source.addSourceBuffer(mime), this.#owner));
  }
}
