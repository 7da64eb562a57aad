import { LowLatencyPlayer } from '../../../../client/media/low-latency-player.ts';
import { MsePlayer } from '../../../../client/media/mse-player.ts';
import type { MediaStatus, Player } from '../../../../client/media/sink.ts';
import type { StageState } from '../stage-state.ts';
import { playFlv } from './flv-source.ts';
import { watch, watchCanvas } from './frames.ts';
import { type Publishing, publish } from './publish.ts';

const onStatus = (status: MediaStatus) => {
  stage.statuses.push(status);
  console.log(status.code);
};

/** What a test asks the page to do. */
const stage = {
  player: undefined as Player | undefined,
  video: document.createElement('video'),
  canvas: document.createElement('canvas'),
  statuses: [] as MediaStatus[],
  frames: undefined as ReturnType<typeof watch> | undefined,

  /** Plays a live stream of the server. */
  play(url: string): void {
    document.body.append(stage.video);
    stage.player = new MsePlayer({ element: stage.video, onStatus });
    stage.frames = watch(stage.video);
    playFlv(url, stage.player, stage.frames);
  },

  publishing: undefined as Publishing | undefined,

  async publish(...args: Parameters<typeof publish>): Promise<void> {
    stage.publishing = await publish(...args);
  },

  /** The same by WebCodecs. */
  playFast(url: string, targetDelayMs = 60): void {
    document.body.append(stage.canvas);
    stage.player = new LowLatencyPlayer({ canvas: stage.canvas, targetDelayMs, onStatus });
    stage.frames = watchCanvas(stage.canvas);
    playFlv(url, stage.player, stage.frames);
  },

  state(): StageState {
    const { player, video, frames, statuses } = stage;
    return {
      stats: player?.stats,
      played: player?.playedTimestamp,
      currentTime: video.currentTime,
      width: video.videoWidth,
      hasSound: ((video as { webkitAudioDecodedByteCount?: number }).webkitAudioDecodedByteCount ?? 0) > 0,
      isPaused: video.paused,
      statuses,
      publishing: stage.publishing && { ...stage.publishing.publisher.stats, codes: stage.publishing.codes },
      shown: frames?.shown ?? [],
    };
  },
};

Object.assign(globalThis, { stage });

// Where a question of the test would count as a gesture of the user, the address says what to play.
const [how, url] = decodeURIComponent(location.hash.slice(1)).split(' ');
if (url) stage[how as 'play' | 'playFast'](url);
