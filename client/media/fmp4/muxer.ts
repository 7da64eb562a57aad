import { StagewireError } from '../../../wire/errors.ts';
import { MessageType } from '../../../wire/messages.ts';
import { Timeline } from '../timeline.ts';
import { audioUnit, type Kind, videoUnit } from '../unit.ts';
import { TrackMuxer, type TrackOutput } from './track-muxer.ts';

/** Audio and video messages of RTMP to fragmented MP4, each kind a file of its own. */
export class Muxer {
  readonly timeline = new Timeline();
  /** Messages that made no sense and were left out. */
  malformed = 0;
  readonly #tracks: Readonly<Record<Kind, TrackMuxer>>;

  constructor(output: TrackOutput) {
    this.#tracks = { audio: new TrackMuxer(output), video: new TrackMuxer(output) };
  }

  /** The payload is copied where it is kept. Other types than audio and video are ignored. */
  message(type: number, timestamp: number, payload: Uint8Array): void {
    if (type !== MessageType.Audio && type !== MessageType.Video) return;
    try {
      const unit = type === MessageType.Audio ? audioUnit(payload) : videoUnit(payload);
      if (!unit) return;
      // Configurations are often stamped 0, whatever the time is.
      const timeMs = unit.is === 'frame' ? this.timeline.place(timestamp) : 0;
      this.#tracks[unit.kind].push(unit, timeMs);
    } catch (error) {
      if (!(error instanceof StagewireError)) throw error;
      this.malformed++;
    }
  }

  /** Nothing more comes for now: what was held back goes out. */
  flush(): void {
    this.#tracks.audio.flush();
    this.#tracks.video.flush();
  }
}
