export { type AttachedVideo, attachVideo, type VideoOptions } from './attach.ts';
export { MsePlayer, type MsePlayerOptions } from './mse-player.ts';
export type { MediaStatus, Player, PlayerStats } from './sink.ts';
