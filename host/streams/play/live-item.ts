import { CodecSupport } from '../../../wire/codecs.ts';
import { describe } from '../../../wire/status.ts';
import type { CodecPolicy } from '../codec-filter.ts';
import type { LiveStream } from '../live-stream.ts';
import { Viewer } from '../viewer.ts';
import type { Voice } from '../voice.ts';
import { type Item, type ItemEnd, refuseCodec, type Wants } from './item.ts';

export interface LiveItemEvents extends ItemEnd {
  /** The client reads too slowly. */
  tooSlow(): void;
  /** Of an item that was started at a key frame: that has come. */
  began?: (() => void) | undefined;
}

/** A live stream as one viewer plays it, for as long as it lasts or for a time that counts from its first being there. */
export class LiveItem implements Item {
  readonly #stream: LiveStream;
  readonly #voice: Voice;
  readonly #viewer: Viewer;
  readonly #durationMs: number;
  readonly #events: LiveItemEvents;
  #timer: NodeJS.Timeout | undefined;
  /** The stream was there, and the time runs out though another publisher comes. */
  #isCounting = false;

  /** `durationMs`: -1 for no end. A stream that is waited for is waited for as long. */
  constructor(
    stream: LiveStream,
    voice: Voice,
    wants: Wants,
    durationMs: number,
    policy: CodecPolicy,
    events: LiveItemEvents,
  ) {
    const { name } = stream;
    this.#stream = stream;
    this.#voice = voice;
    this.#durationMs = durationMs;
    this.#events = events;
    this.#viewer = new Viewer(
      voice.transport,
      voice.streamId,
      {
        published: () => {
          voice.status('NetStream.Play.PublishNotify', describe.published(name), name);
          this.#startTimer();
        },
        unpublished: () => voice.status('NetStream.Play.UnpublishNotify', describe.unpublished(name), name),
        tooSlow: () => {
          voice.status('NetStream.Play.InsufficientBW', 'The connection is too slow for this stream.', name);
          events.tooSlow();
        },
        waits: () => void stream.askKeyFrame(),
        refused: (lack) => refuseCodec(voice, name, lack, policy, () => events.ended()),
      },
      policy === 'send' ? CodecSupport.all : voice.transport.codecs,
    );
    this.#viewer.receive('audio', wants.audio);
    this.#viewer.receive('video', wants.video);
    this.#viewer.limitFrames(wants.fps);
  }

  start(): void {
    this.#stream.join(this.#viewer);
    this.#startTimer();
  }

  /** Sends nothing before the next key frame, and tells when that comes. */
  startAtKeyFrame(): void {
    this.#viewer.awaitKeyFrame(() => this.#events.began?.());
    this.start();
  }

  pause(isPaused: boolean): void {
    const { name } = this.#stream;
    if (isPaused) {
      this.#viewer.pause();
      this.#voice.status('NetStream.Pause.Notify', describe.paused(name), name);
    } else {
      this.#voice.status('NetStream.Unpause.Notify', describe.unpaused(name), name);
      this.#voice.status('NetStream.Play.Start', describe.playStarted(name), name);
      if (this.#viewer.isPaused) this.#stream.resume(this.#viewer);
    }
  }

  seek(): void {
    const { name } = this.#stream;
    this.#voice.status('NetStream.Seek.Failed', `${name} is live: it cannot be sought.`, name);
  }

  receive(medium: 'audio' | 'video', isWanted: boolean): void {
    this.#viewer.receive(medium, isWanted);
  }

  limitFrames(fps: number | undefined): void {
    this.#viewer.limitFrames(fps);
  }

  setBuffer(): void {}

  played(timestamp: number): void {
    this.#viewer.played(timestamp);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stream.leave(this.#viewer);
  }

  /** From the beginning of the stream on; while there is none, from now. */
  #startTimer(): void {
    if (this.#durationMs < 0 || this.#isCounting) return;
    this.#isCounting = this.#stream.publisher !== undefined;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#events.ended(), this.#durationMs);
  }
}
