import { MessageType } from '../../wire/messages.ts';
import type { NetStatusEvent } from '../events.ts';
import type { MediaSink as StreamSink } from '../sink.ts';
import type { MediaStatus, Player, PlayerStats, Situation } from './sink.ts';

/** What is needed of a `NetStream` to play what it plays. */
export interface PlayedStream {
  sink: StreamSink | undefined;
  /** What it plays is a recording. Default false. */
  readonly isRecorded?: boolean;
  report(info: MediaStatus): void;
  addEventListener(type: 'netStatus', listener: (event: Event) => void): void;
  removeEventListener(type: 'netStatus', listener: (event: Event) => void): void;
}

/** Nothing more comes: of a recording, and of what was live. */
const ENDS = ['NetStream.Play.Stop', 'NetStream.Play.UnpublishNotify'];

/** Until a browser has what came last. */
const TAKEN_MS = 300;

export interface Attached {
  readonly stats: PlayerStats;
  /** The stream goes on, and nobody sees it. */
  close(): void;
}

/** Has a stream's media played by players that `begin` makes: each goes on until something else is played. */
export function attach(
  stream: PlayedStream,
  begin: (onStatus: (status: MediaStatus) => void, situation: Situation) => Player,
  pause?: (isPaused: boolean) => void,
): Attached {
  const onStatus = (status: MediaStatus) => stream.report(status);
  const situation = { isRecorded: stream.isRecorded === true, isPaused: false };
  /** A recording has come to its end, and what is live comes behind it: since when, and when all of it has been shown. */
  let changedAt = Infinity;
  let shownAt = 0;
  let player = begin(onStatus, situation);
  const reset = () => {
    situation.isRecorded = stream.isRecorded === true;
    changedAt = Infinity;
    player.close();
    player = begin(onStatus, situation);
  };
  const take = (type: number, timestamp: number, payload: Uint8Array) => {
    const now = performance.now();
    if (stream.isRecorded) {
      situation.isRecorded = true;
      changedAt = Infinity;
    } else if (situation.isRecorded) {
      changedAt = Math.min(changedAt, now);
      if (now - changedAt < TAKEN_MS) shownAt = now + player.stats.delayMs;
      situation.isRecorded = now < shownAt;
    }
    player.message(type, timestamp, payload);
  };
  const sink: StreamSink = {
    audio: (timestamp, payload) => take(MessageType.Audio, timestamp, payload),
    video: (timestamp, payload) => take(MessageType.Video, timestamp, payload),
    reset,
    pause(isPaused) {
      situation.isPaused = isPaused;
      pause?.(isPaused);
    },
    get played() {
      return player.playedTimestamp;
    },
  };
  const heard = (event: Event) => {
    const { code } = (event as NetStatusEvent).info;
    // What plays from now on is not paused.
    if (code === 'NetStream.Play.Reset') situation.isPaused = false;
    // What had been sent ahead comes once more.
    if (code === 'NetStream.Unpause.Notify' && situation.isRecorded) reset();
    if (!ENDS.includes(code)) return;
    player.ended?.();
    if (player.stats.delayMs > 0)
      onStatus({ level: 'status', code: 'NetStream.Buffer.Flush', description: 'Playing what is left.' });
  };
  stream.addEventListener('netStatus', heard);
  stream.sink = sink;
  return {
    get stats() {
      return player.stats;
    },
    close() {
      stream.removeEventListener('netStatus', heard);
      if (stream.sink === sink) stream.sink = undefined;
      player.close();
    },
  };
}
