export const MultitrackType = { OneTrack: 0, ManyTracks: 1, ManyTracksManyCodecs: 2 } as const;

/** Where one track of a multitrack message stands in its payload. */
export interface TrackSpan {
  readonly trackId: number;
  readonly fourCc: string;
  readonly start: number;
  readonly end: number;
}

const MOD_EX = 7;
/** More tracks than ids exist are not a list of tracks. */
const MAX_TRACKS = 256;

/** Where the byte stands whose low four bits are the packet type, ModEx skipped. -1 when the head is cut off. */
export function packetTypeAt(payload: Uint8Array): number {
  let at = 0;
  while (at < payload.length && (payload[at]! & 15) === MOD_EX) {
    if (at + 3 >= payload.length) return -1;
    const short = payload[at + 1]!;
    // The sizes are written less one, and 256 announces a longer size.
    at += short < 255 ? short + 3 : payload[at + 2]! * 0x100 + payload[at + 3]! + 5;
  }
  return at < payload.length ? at : -1;
}

/** The tracks of a message whose packet type, multitrack, stands at `at`. `undefined` for a list that is malformed or unknown. */
export function tracksOf(payload: Uint8Array, at: number): readonly TrackSpan[] | undefined {
  const type = (payload[at + 1] ?? 0xff) >> 4;
  if (type > MultitrackType.ManyTracksManyCodecs) return undefined;
  const hasOwnFourCc = type === MultitrackType.ManyTracksManyCodecs;
  const shared = hasOwnFourCc ? '' : fourCcAt(payload, at + 2);
  let next = hasOwnFourCc ? at + 2 : at + 6;

  const tracks: TrackSpan[] = [];
  do {
    const fourCc = hasOwnFourCc ? fourCcAt(payload, next) : shared;
    if (hasOwnFourCc) next += 4;
    if (next >= payload.length || tracks.length === MAX_TRACKS) return undefined;
    const trackId = payload[next]!;
    next += 1;
    let sizeBytes = payload.length - next;
    if (type !== MultitrackType.OneTrack) {
      if (next + 3 > payload.length) return undefined;
      sizeBytes = payload[next]! * 0x10000 + payload[next + 1]! * 0x100 + payload[next + 2]!;
      next += 3;
    }
    tracks.push({ trackId, fourCc, start: next, end: next + sizeBytes });
    next += sizeBytes;
  } while (next < payload.length);
  return next > payload.length ? undefined : tracks;
}

/** The same message without its ModEx, which only modify it. */
export function withoutModEx(payload: Uint8Array): Uint8Array {
  const at = packetTypeAt(payload);
  if (at <= 0) return payload;
  const plain = payload.slice(at);
  plain[0] = (payload[0]! & 0xf0) | (payload[at]! & 15);
  return plain;
}

/** Track 0 of a multitrack message as a message that has no other; ModEx stay. `undefined` when it has none. */
export function defaultTrackOf(payload: Uint8Array): Uint8Array | undefined {
  const at = packetTypeAt(payload);
  const track = tracksOf(payload, at)?.find(({ trackId }) => trackId === 0);
  if (!track) return undefined;
  const plain = new Uint8Array(at + 5 + track.end - track.start);
  plain.set(payload.subarray(0, at));
  plain[at] = (payload[at]! & 0xf0) | (payload[at + 1]! & 15);
  for (let i = 0; i < 4; i++) plain[at + 1 + i] = track.fourCc.charCodeAt(i);
  plain.set(payload.subarray(track.start, track.end), at + 5);
  return plain;
}

export function fourCcAt(payload: Uint8Array, at: number): string {
  return String.fromCharCode(payload[at]!, payload[at + 1]!, payload[at + 2]!, payload[at + 3]!);
}
