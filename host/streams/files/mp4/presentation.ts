import type { Track } from './tracks.ts';

export type LoadedTrack = Omit<Track, 'first'>;

/**
 * Where each track begins, and when. What an edit list cuts off at the start is left out, as far as decoders can do
 * without. What they need from before, the whole movie begins with: times are never below 0.
 */
export function arrangeTracks(found: readonly LoadedTrack[]): Track[] {
  const tracks = found.filter(({ samples }) => samples.count > 0);
  const video = tracks.find(({ head }) => head.codec.isVideo);
  const firstPicture = video && firstPlayed(video);
  const startMs = video ? video.samples.timeOf(firstPicture!) : Infinity;

  const arranged = tracks.map((track) => {
    const first =
      track === video ? firstPicture! : Math.min(firstPlayed(track), track.samples.firstFrom(startMs));
    return { ...track, first };
  });
  const earliest = Math.min(...arranged.map(({ samples, first }) => samples.timeOf(first)));
  if (earliest < 0) for (const { samples } of arranged) samples.shiftMs = -earliest;
  return arranged;
}

/** The last sample at which a decoder can begin to show the movie from its start. */
function firstPlayed({ head: { codec, edit }, samples }: LoadedTrack): number {
  const last = samples.firstFrom(Math.round(edit.delayMs) + 1) - 1;
  // Sound fades in from the frame before.
  if (!codec.isVideo) return Math.max(0, last - 1);
  let key = samples.keyBefore(last);
  while (key > 0 && samples.timeOf(key) + samples.compositionOf(key) > edit.delayMs) {
    key = samples.keyBefore(key - 1);
  }
  return Math.max(0, key);
}
