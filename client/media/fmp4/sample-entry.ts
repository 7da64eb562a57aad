import type { AudioSetup, Setup, VideoSetup } from '../codecs/setup.ts';
import { box, type Content, fullBox, u16, u32 } from './box.ts';

/** Boxes with the configuration record in a sample entry of pictures. */
const VIDEO_RECORDS: Readonly<Record<string, string>> = {
  avc1: 'avcC',
  hvc1: 'hvcC',
  av01: 'av1C',
  vp08: 'vpcC',
  vp09: 'vpcC',
};
const RESERVED = [0, 0, 0, 0, 0, 0, 0, 1]; // and the index of the data reference
/** Object types of an elementary stream (ISO 14496-1, section 7.2.6.6): AAC, and MP3 of MPEG-1. */
const ObjectType = { Aac: 0x40, Mp3: 0x6b } as const;

/** What a track's samples are (ISO 14496-12, section 8.5.2). */
export function sampleEntry(setup: Setup): Uint8Array {
  return setup.kind === 'video' ? visualEntry(setup) : audioEntry(setup);
}

function visualEntry({ fourCc, record, width, height }: VideoSetup): Uint8Array {
  return box(
    fourCc,
    RESERVED,
    new Uint8Array(16),
    u16(width, height),
    u32(0x480000, 0x480000, 0), // 72 dots an inch
    u16(1),
    new Uint8Array(32),
    u16(24, 0xffff),
    box(VIDEO_RECORDS[fourCc] ?? 'free', record),
  );
}

function audioEntry(setup: AudioSetup): Uint8Array {
  const { fourCc, channels, sampleRate } = setup;
  return box(
    fourCc === '.mp3' ? 'mp4a' : fourCc,
    RESERVED,
    new Uint8Array(8),
    u16(channels, 16, 0, 0),
    u32((sampleRate & 0xffff) * 0x10000), // the media header has rates that are too high for here
    audioRecord(setup),
  );
}

function audioRecord({ fourCc, record }: AudioSetup): Uint8Array {
  switch (fourCc) {
    case 'Opus':
      return box('dOps', opusSpecific(record));
    case 'fLaC':
      return fullBox('dfLa', 0, 0, u32(0x80000000 + record.length), record);
    case 'ac-3':
      return box('dac3', record);
    case 'ec-3':
      return box('dec3', record);
    default:
      return elementaryStream(fourCc === 'mp4a' ? ObjectType.Aac : ObjectType.Mp3, record);
  }
}

/** The ID header without its name, in network order and as version 0 (Opus in ISO-BMFF, section 4.3.2). */
function opusSpecific(head: Uint8Array): Uint8Array {
  const specific = head.slice(8);
  specific[0] = 0;
  for (const [from, to] of [
    [2, 4],
    [4, 8],
    [8, 10],
  ])
    specific.subarray(from, to).reverse();
  return specific;
}

/** Descriptors of ISO 14496-1, section 7.2.6. */
function elementaryStream(objectType: number, config: Uint8Array): Uint8Array {
  const specific = config.length > 0 ? descriptor(5, config) : [];
  const decoder = descriptor(4, [objectType, 0x15, 0, 0, 0], u32(0, 0), specific);
  return fullBox('esds', 0, 0, descriptor(3, [0, 0, 0], decoder, descriptor(6, [2])));
}

function descriptor(tag: number, ...content: readonly Content[]): Uint8Array {
  const body = box('', ...content).subarray(8);
  const head = [tag, 0x80, 0x80, 0x80 | (body.length >> 7), body.length & 0x7f];
  return box('', head, body).subarray(8);
}
