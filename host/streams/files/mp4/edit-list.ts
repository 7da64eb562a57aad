import { type Box, boxIn, entryCount } from './boxes.ts';

/** How the times of a track become those of the movie. */
export interface Edit {
  /** What the track begins with, in its own time. */
  readonly mediaTime: number;
  /** How long the movie is on before. */
  readonly delayMs: number;
}

const MAX_ENTRIES = 16;

/**
 * The first edit of a track (ISO 14496-12, section 8.6.6), and the empty ones before it: that is how writers keep sound
 * and pictures together. What comes after it is for editors.
 */
export function readEdit(moov: DataView, trak: Box, movieTimescale: number): Edit {
  const elst = boxIn(moov, trak, 'edts', 'elst');
  if (!elst) return { mediaTime: 0, delayMs: 0 };
  const isLong = moov.getUint8(elst.start) === 1;
  const entryBytes = isLong ? 20 : 12;
  const entries = Math.min(MAX_ENTRIES, entryCount(moov, elst, elst.start + 4, entryBytes));
  let delay = 0;
  for (let entry = 0; entry < entries; entry++) {
    const at = elst.start + 8 + entry * entryBytes;
    const duration = isLong ? Number(moov.getBigUint64(at)) : moov.getUint32(at);
    const mediaTime = isLong ? Number(moov.getBigInt64(at + 8)) : moov.getInt32(at + 4);
    if (mediaTime >= 0) return { mediaTime, delayMs: msOf(delay, movieTimescale) };
    delay += duration;
  }
  return { mediaTime: 0, delayMs: 0 };
}

function msOf(duration: number, timescale: number): number {
  const ms = (duration * 1000) / timescale;
  // Nobody waits for longer: it is a mistake, and would leave the other track alone.
  return ms < 24 * 60 * 60 * 1000 ? ms : 0;
}
