import type { Setup } from '../codecs/setup.ts';
import { box, fullBox, u16, u32 } from './box.ts';
import { sampleEntry } from './sample-entry.ts';

/** Ticks in a second: pictures are timed in milliseconds as RTMP does, sound in samples. */
export function timescaleOf(setup: Setup): number {
  return setup.kind === 'video' ? 1000 : setup.sampleRate;
}

/** Each track has a file of its own, in which it is the only one. */
export const TRACK_ID = 1;

const UNITY = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

/** `ftyp` and `moov` of a fragmented file with one track (ISO 14496-12; ISO BMFF byte stream format of MSE). */
export function initSegment(setup: Setup): Uint8Array {
  const { kind } = setup;
  const isVideo = kind === 'video';
  const [width, height] = isVideo ? [setup.width, setup.height] : [0, 0];
  const timescale = timescaleOf(setup);
  const none = u32(0);
  const tables = ['stts', 'stsc', 'stco'].map((type) => fullBox(type, 0, 0, none));
  const sampleTable = box(
    'stbl',
    fullBox('stsd', 0, 0, u32(1), sampleEntry(setup)),
    ...tables,
    fullBox('stsz', 0, 0, u32(0, 0)),
  );
  const references = box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1)));
  const header = isVideo ? fullBox('vmhd', 0, 1, u32(0, 0)) : fullBox('smhd', 0, 0, none);
  const handler = isVideo ? 'vide' : 'soun';
  const media = box(
    'mdia',
    fullBox('mdhd', 0, 0, u32(0, 0, timescale, 0), u16(0x55c4, 0)), // no language
    fullBox('hdlr', 0, 0, none, ascii(handler), u32(0, 0, 0), [0]),
    box('minf', header, references, sampleTable),
  );
  const track = box(
    'trak',
    fullBox(
      'tkhd',
      0,
      3, // enabled, in the movie
      u32(0, 0, TRACK_ID, 0, 0, 0, 0),
      u16(0, 0, isVideo ? 0 : 0x100, 0),
      UNITY,
      u32(width * 0x10000, height * 0x10000),
    ),
    media,
  );
  const movie = fullBox(
    'mvhd',
    0,
    0,
    u32(0, 0, timescale, 0, 0x10000),
    u16(0x100, 0),
    u32(0, 0),
    UNITY,
    new Uint8Array(24),
    u32(TRACK_ID + 1),
  );
  const fragments = box('mvex', fullBox('trex', 0, 0, u32(TRACK_ID, 1, 0, 0, 0)));
  const type = box('ftyp', ascii('iso6'), none, ascii('iso6mp41'));
  return box('', type, box('moov', movie, track, fragments)).subarray(8);
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
