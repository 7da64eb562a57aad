import type { PublisherStats } from '../../../client/media/publish/stats.ts';
import type { MediaStatus, PlayerStats } from '../../../client/media/sink.ts';

/** A picture that was seen: its number, as drawn in it, and how long after the fastest way to the page. */
export interface Shown {
  readonly frame: number;
  readonly delayMs: number;
}

/** What the page of the tests says of itself. */
export interface StageState {
  stats: PlayerStats | undefined;
  played: number | undefined;
  currentTime: number;
  width: number;
  hasSound: boolean;
  isPaused: boolean;
  statuses: MediaStatus[];
  publishing: (PublisherStats & { codes: string[] }) | undefined;
  shown: Shown[];
}
