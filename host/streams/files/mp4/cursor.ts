/** Where to go on: the next sample of the pictures and of the sound. */
export interface Cursor {
  readonly video: number;
  readonly audio: number;
}

/** Beyond the number of any sample. */
const FACTOR = 0x1000000;

/** A cursor as one number. */
export function positionOf({ video, audio }: Cursor): number {
  return video * FACTOR + audio;
}

export function cursorOf(position: number): Cursor {
  return { video: Math.floor(position / FACTOR), audio: position % FACTOR };
}
