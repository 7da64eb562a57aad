import { FileProblem } from '../problem.ts';
import { type Box, boxesIn, boxIn, childOf, fourCc } from './boxes.ts';
import { type Codec, readCodecs } from './codecs.ts';
import { type Edit, readEdit } from './edit-list.ts';
import type { SampleList } from './sample-list.ts';

/** A track that can be played, without its samples. */
export interface TrackHead {
  readonly id: number;
  /** The first that can be played. */
  readonly codec: Codec;
  /** By sample descriptions, counted from 0. */
  readonly codecs: readonly (Codec | undefined)[];
  readonly timescale: number;
  readonly durationUnits: number;
  readonly language: string;
  readonly sampleType: string;
  readonly edit: Edit;
  readonly stbl: Box;
}

export interface Track {
  readonly head: TrackHead;
  readonly samples: SampleList;
  /** The first sample that is played. */
  readonly first: number;
}

/** The codec that a sample is in. Samples without one are not in the list. */
export function codecOf({ head, samples }: Track, sample: number): Codec {
  return head.codecs[samples.descriptionOf(sample)] ?? head.codec;
}

const MAX_TRACKS = 64;

/** The first track with pictures and the first with sound, of those that RTMP has codecs for. */
export function chooseTracks(moov: DataView): TrackHead[] {
  const root: Box = { type: 'moov', start: 0, end: moov.byteLength };
  const mvhd = childOf(moov, root, 'mvhd');
  const movieTimescale = mvhd ? timesOf(moov, mvhd).timescale : 1000;
  const chosen: TrackHead[] = [];
  let tracks = 0;
  for (const trak of boxesIn(moov, root.start, root.end)) {
    if (trak.type !== 'trak') continue;
    if (++tracks > MAX_TRACKS) break;
    const track = readTrack(moov, trak, movieTimescale);
    if (track && !chosen.some(({ codec }) => codec.isVideo === track.codec.isVideo)) chosen.push(track);
  }
  if (chosen.length === 0) throw new FileProblem('no-track', 'no track has a codec that RTMP knows');
  return chosen;
}

function readTrack(moov: DataView, trak: Box, movieTimescale: number): TrackHead | undefined {
  const mdia = childOf(moov, trak, 'mdia');
  const hdlr = childOf(moov, mdia, 'hdlr');
  const mdhd = childOf(moov, mdia, 'mdhd');
  const tkhd = childOf(moov, trak, 'tkhd');
  const stbl = boxIn(moov, mdia, 'minf', 'stbl');
  if (!hdlr || !mdhd || !tkhd || !stbl || hdlr.end - hdlr.start < 12) return undefined;
  const handler = fourCc(moov, hdlr.start + 8);
  if (handler !== 'vide' && handler !== 'soun') return undefined;
  const codecs = readCodecs(moov, stbl, handler === 'vide');
  const codec = codecs.find((each) => each !== undefined);
  const { timescale, durationUnits, after } = timesOf(moov, mdhd);
  if (!codec || timescale === 0) return undefined;
  const packed = after + 2 <= mdhd.end ? moov.getUint16(after) : 0;
  return {
    id: idOf(moov, tkhd),
    codec,
    codecs,
    timescale,
    durationUnits,
    language: languageOf(packed),
    sampleType: sampleTypeOf(moov, stbl),
    edit: readEdit(moov, trak, movieTimescale),
    stbl,
  };
}

/** Scale and duration in a movie or media header, and where it goes on. */
function timesOf(moov: DataView, { start }: Box) {
  const isLong = moov.getUint8(start) === 1;
  const at = start + (isLong ? 20 : 12);
  const timescale = moov.getUint32(at);
  const durationUnits = isLong ? Number(moov.getBigUint64(at + 4)) : moov.getUint32(at + 4);
  return { timescale, durationUnits, after: at + (isLong ? 12 : 8) };
}

function idOf(moov: DataView, { start }: Box): number {
  return moov.getUint32(start + (moov.getUint8(start) === 1 ? 20 : 12));
}

/** Three letters of five bits (ISO 639-2). */
function languageOf(packed: number): string {
  if (packed < 0x400) return 'und';
  return String.fromCharCode(...[10, 5, 0].map((shift) => 0x60 + ((packed >> shift) & 31)));
}

function sampleTypeOf(moov: DataView, stbl: Box): string {
  const stsd = childOf(moov, stbl, 'stsd');
  return stsd ? fourCc(moov, stsd.start + 12) : '';
}
