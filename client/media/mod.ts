export { LowLatencyPlayer, type LowLatencyPlayerOptions } from './low-latency-player.ts';
export { MsePlayer, type MsePlayerOptions } from './mse-player.ts';
export type { PublisherStats } from './publish/stats.ts';
export { Publisher, type PublisherOptions } from './publisher.ts';
export type { MediaSink, MediaStatus, Player, PlayerStats } from './sink.ts';
