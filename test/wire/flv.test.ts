import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../wire/bytes.ts';
import { StagewireError } from '../../wire/errors.ts';
import * as flv from '../../wire/flv.ts';
import {
  audioCacheKey,
  compositionTimeOf,
  isAudioSequenceHeader,
  isVideoKeyFrame,
  isVideoMetadata,
  isVideoSequenceHeader,
  parseAudioHead,
  parseVideoHead,
  videoCacheKey,
} from '../../wire/media-head.ts';
import { fromHex, loadVectors, toHex, type Vector } from '../support/vectors.ts';

interface Decoded {
  kind: string;
  silence?: boolean;
  dataHex?: string;
  amf0?: unknown;
  tracks?: { trackId: number; fourCc: string; dataHex: string }[];
  [field: string]: unknown;
}

interface TagVector {
  name: string;
  hex: string;
  decoded: Decoded;
}

const bodies: TagVector[] = [
  ...loadVectors<Vector & TagVector>('media-tags'),
  ...loadVectors<Vector & { message: { hex: string }; decoded: Decoded }>('messages').map((vector) => {
    return { name: vector.name, hex: vector.message.hex, decoded: vector.decoded };
  }),
].filter(({ decoded }) => decoded.kind === 'audio' || decoded.kind === 'video');

describe('captured media bodies', () => {
  for (const { name, hex, decoded } of bodies) {
    test(`the head of ${name} (${hex.slice(0, 12)}) is read`, () => {
      const payload = fromHex(hex);
      const head = decoded.kind === 'audio' ? parseAudioHead(payload) : parseVideoHead(payload);
      if (decoded.silence) {
        expect(head).toBeUndefined();
        return;
      }

      const { kind: _, dataHex, amf0, tracks, ...fields } = decoded;
      expect(head).toMatchObject(fields);
      // Cut in the vector, where it is long.
      if (dataHex?.endsWith('…')) expect(toHex(head!.data)).toContain(dataHex.slice(0, -1));
      else if (dataHex !== undefined) expect(toHex(head!.data)).toBe(dataHex);
      if (amf0 !== undefined) expect(toHex(head!.data)).toMatch(/^0200/);
      expect(head!.tracks?.map(({ data, ...track }) => ({ ...track, dataHex: toHex(data) }))).toEqual(tracks);
    });
  }
});

describe('what a relay asks', () => {
  const video = [
    {
      name: 'an AVC configuration',
      hex: '17000000000142001f',
      key: false,
      header: true,
      cache: 'video/config/0',
    },
    { name: 'an empty AVC configuration', hex: '1700000000', key: false, header: true },
    { name: 'an AVC key frame', hex: '170100000001', key: true },
    { name: 'an AVC inter frame', hex: '270100000001', key: false },
    { name: 'the end of an AVC sequence', hex: '1702000000', key: false },
    {
      name: 'an HEVC configuration in the old head',
      hex: '1c0000000001',
      key: false,
      header: true,
      cache: 'video/config/0',
    },
    { name: 'a VP6 key frame', hex: '1400', key: true },
    { name: 'a screen video key frame', hex: '13', key: true },
    { name: 'a seek command in the old head', hex: '5700', key: false },
    { name: 'an AV1 start', hex: '806176303181', key: false, header: true, cache: 'video/config/0' },
    {
      name: 'an AV1 start marked as key',
      hex: '9061763031',
      key: false,
      header: true,
      cache: 'video/config/0',
    },
    {
      name: 'an AV1 start for MPEG-2 TS',
      hex: '956176303181',
      key: false,
      header: true,
      cache: 'video/config/0',
    },
    { name: 'an HEVC key frame', hex: '9168766331 00001e', key: true },
    { name: 'an HEVC inter frame', hex: 'a368766331', key: false },
    { name: 'a metadata frame', hex: 'd461763031 02', key: false, metadata: true, cache: 'video/metadata/0' },
    { name: 'a seek command', hex: 'd000', key: false },
    {
      name: 'the start of one track',
      hex: '8600 76703039 01 01',
      key: false,
      header: true,
      cache: 'video/config/1',
    },
    { name: 'a key frame of one track', hex: '9603 68766331 00 10203040', key: true },
    {
      name: 'the start of two tracks',
      hex: '9610 68766331 01 000002 aabb 03 000001 cc',
      key: false,
      header: true,
      cache: 'video/config/1,3',
    },
    {
      name: 'the start of two tracks of different codecs',
      hex: '9620 68766331 01 000002 aabb 61763031 02 000000',
      key: false,
      header: true,
      cache: 'video/config/1,2',
    },
    {
      name: 'the metadata of a track',
      hex: '8604 68766331 02 00',
      key: false,
      metadata: true,
      cache: 'video/metadata/2',
    },
    { name: 'tracks that end early', hex: '9610 68766331 01 000009 aabb', key: false, header: true },
    { name: 'tracks of an unknown kind', hex: '9630 68766331 01', key: false, header: true },
    { name: 'a key frame behind an extension', hex: '97 02 0f4240 01 68766331 000000 00', key: true },
    {
      name: 'a start behind two extensions',
      hex: '97 00 aa 17 00 bb 00 61763031 81',
      key: false,
      header: true,
      cache: 'video/config/0',
    },
    {
      name: 'a key frame behind a long extension',
      hex: `97 ff 0100 ${'00'.repeat(257)} 03 68766331 00`,
      key: true,
    },
    { name: 'an extension that is cut off', hex: '97 05 00', key: false },
    { name: 'a start without its codec', hex: '9061', key: false, header: true },
    { name: 'a packet type nobody knows', hex: '9961763031', key: false },
    { name: 'nothing', hex: '', key: false },
  ];

  test.each([
    ['17 01 000050 00', 80],
    ['27 01 ffffd8 00', -40],
    ['17 00 000050 00', 0],
    ['12 01 000050 00', 0],
    ['91 68766331 000028 00', 40],
    ['97 02 0f4240 01 76766331 ffffff 00', -1],
    ['93 68766331 000028 00', 0],
    ['91 61763031 000028 00', 0],
    ['9611 68766331 01 000028 00', 0],
    ['17 01 0000', 0],
    ['91 68766331 0000', 0],
    ['', 0],
  ])('how long after decoding a picture is shown: %s', (hex, ms) => {
    expect(compositionTimeOf(fromHex(hex))).toBe(ms);
  });

  for (const { name, hex, key, header = false, metadata = false, cache } of video) {
    test(`about video: ${name}`, () => {
      const payload = fromHex(hex);
      expect(isVideoKeyFrame(payload)).toBe(key);
      expect(isVideoSequenceHeader(payload)).toBe(header);
      expect(isVideoMetadata(payload)).toBe(metadata);
      expect(videoCacheKey(payload)).toBe(cache);
    });
  }

  const audio = [
    { name: 'an AAC configuration', hex: 'af001210', header: true, cache: 'audio/config/0' },
    { name: 'an empty AAC configuration', hex: 'af00', header: true },
    { name: 'an AAC frame', hex: 'af0121', header: false },
    { name: 'an AAC head that is cut off', hex: 'af', header: false },
    { name: 'an MP3 frame', hex: '2f00', header: false },
    { name: 'an Opus start', hex: '904f707573', header: true, cache: 'audio/config/0' },
    { name: 'Opus frames', hex: '914f70757300', header: false },
    {
      name: 'a configuration of channels',
      hex: '944f707573010200000003',
      header: false,
      cache: 'audio/channels/0',
    },
    { name: 'the start of a track', hex: '950061632d3301', header: true, cache: 'audio/config/1' },
    {
      name: 'the channels of a track',
      hex: '9504 4f707573 02 0102',
      header: false,
      cache: 'audio/channels/2',
    },
    { name: 'silence', hex: '', header: false },
  ];

  for (const { name, hex, header, cache } of audio) {
    test(`about audio: ${name}`, () => {
      const payload = fromHex(hex);
      expect(isAudioSequenceHeader(payload)).toBe(header);
      expect(audioCacheKey(payload)).toBe(cache);
    });
  }
});

describe('heads in full', () => {
  test('tell the nanoseconds of an extension, and the composition time after it', () => {
    expect(parseVideoHead(fromHex('97 02 0f4240 01 68766331 ffffde 0102'))).toEqual({
      enhanced: true,
      frameType: 1,
      packetType: 1,
      fourCc: 'hvc1',
      nanosecondOffset: 1_000_000,
      compositionTime: -34,
      data: fromHex('0102'),
    });
  });

  test('tell each track of a message', () => {
    expect(parseVideoHead(fromHex('9621 61766331 01 000004 00000aaa 76703039 02 000001 bb'))).toEqual({
      enhanced: true,
      frameType: 1,
      packetType: 1,
      multitrackType: 2,
      tracks: [
        { trackId: 1, fourCc: 'avc1', compositionTime: 10, data: fromHex('aa') },
        { trackId: 2, fourCc: 'vp09', data: fromHex('bb') },
      ],
      data: fromHex(''),
    });
  });

  test('tell a channel map', () => {
    expect(parseAudioHead(fromHex('944f707573 02 03 000102'))).toMatchObject({
      channelOrder: 2,
      channelCount: 3,
      channelMap: fromHex('000102'),
    });
  });

  test('that are cut off are blamed on the peer', () => {
    for (const hex of ['17', '1701', '9061', 'd0', '97', '9610687663', '9610 68766331 01 000009 aabb']) {
      expect(() => parseVideoHead(fromHex(hex))).toThrow(
        expect.objectContaining({ code: 'E_TRUNCATED', blame: 'peer' }),
      );
    }
    expect(() => parseAudioHead(fromHex('af'))).toThrow(StagewireError);
    expect(() => parseAudioHead(fromHex('9530 4f'))).not.toThrow();
  });

  test('of any bytes are read or refused, and the short questions never fail', () => {
    const inputs = loadVectors<Vector & { target: string; hex: string }>('fuzz')
      .filter(({ target }) => target.startsWith('message reader'))
      // Behind the header of their only chunk.
      .map(({ hex }) => fromHex(hex).subarray(12));
    let state = 9;
    for (let round = 0; round < 20_000; round++) {
      const body = fromHex(bodies[round % bodies.length]!.hex).subarray(0, round % 41);
      for (let count = round % 4; count > 0 && body.length > 0; count--) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        body[(state >>> 8) % Math.min(body.length, 12)] = state >>> 16;
      }
      inputs.push(body);
    }
    for (const input of inputs) {
      isVideoKeyFrame(input);
      isVideoSequenceHeader(input);
      isVideoMetadata(input);
      videoCacheKey(input);
      isAudioSequenceHeader(input);
      audioCacheKey(input);
      for (const parse of [parseVideoHead, parseAudioHead]) {
        try {
          parse(input);
        } catch (error) {
          if (!(error instanceof StagewireError)) throw error;
        }
      }
    }
  });
});

describe('FLV files', () => {
  for (const { name, hex } of loadVectors<Vector & { hex: string }>('flv-files')) {
    test(`the header of ${name} survives a round trip`, () => {
      const file = new ByteReader(fromHex(hex));
      const header = flv.decodeFlvHeader(file);
      expect(file.remaining).toBe(0);
      expect(toHex(flv.encodeFlvHeader(header))).toBe(hex);
    });
  }

  test('a longer header is skipped and another signature refused', () => {
    const file = new ByteReader(fromHex('464c56 01 05 0000000b ffff 00000000 08'));
    expect(flv.decodeFlvHeader(file)).toEqual({ hasAudio: true, hasVideo: true });
    expect(file.remaining).toBe(1);
    expect(() => flv.decodeFlvHeader(new ByteReader(fromHex('000000186674797069736f6d00')))).toThrow(
      expect.objectContaining({ code: 'E_FLV_HEADER', blame: 'app' }),
    );
  });

  const tags = [
    { name: 'a tag', hex: '08 000004 000001 00 000000 af001210 0000000f', timestamp: 1, type: 8 },
    {
      name: 'a tag past 0xffffff',
      hex: '09 000002 000001 12 000000 2700 0000000d',
      timestamp: 0x12000001,
      type: 9,
    },
    { name: 'an empty tag', hex: '12 000000 ffffff 7f 000000 0000000b', timestamp: 0x7fffffff, type: 18 },
  ];
  for (const { name, hex, timestamp, type } of tags) {
    test(`${name} survives a round trip`, () => {
      const tag = flv.decodeFlvTag(new ByteReader(fromHex(hex)))!;
      expect(tag).toMatchObject({ timestamp, type, sizeBytes: tag.payload.length, filtered: false });
      expect(toHex(flv.encodeFlvTag(tag))).toBe(hex.replaceAll(' ', ''));
    });
  }

  test('times are signed when read and lose their sign bit when written', () => {
    const tag = flv.decodeFlvTag(new ByteReader(fromHex('29 000001 fffff0 ff 000000 27')))!;
    expect(tag).toEqual({ type: 9, filtered: true, sizeBytes: 1, timestamp: -16, payload: fromHex('27') });
    expect(toHex(flv.encodeFlvTagHeader(9, 1, 0x80000005))).toBe('0900000100000500000000');
  });

  test('a tag cut short by a crash ends the file where it begins', () => {
    const whole = '08 000001 000001 00 000000 af 0000000c';
    const file = new ByteReader(fromHex(`${whole}08 000004 000001 00 000000 af00`));
    expect(flv.decodeFlvTag(file)).toBeDefined();
    expect(flv.decodeFlvTag(file)).toBeUndefined();
    expect(file.position).toBe(16);
    expect(flv.decodeFlvTag(new ByteReader(fromHex('08 0000')))).toBeUndefined();
  });
});

test('a tag written into memory is the tag that is encoded', () => {
  for (const [size, timestamp] of [
    [0, 0],
    [300, 0x12345678],
    [70_000, 0xffffffff],
  ] as const) {
    const payload = new Uint8Array(size).fill(7);
    const target = new Uint8Array(flv.flvTagBytes(payload) + 10).fill(0xee);
    const end = flv.writeFlvTag(target, 3, 9, timestamp, payload);
    expect(end).toBe(target.length - 7);
    expect(toHex(target.subarray(3, end))).toBe(toHex(flv.encodeFlvTag({ type: 9, timestamp, payload })));
    expect([target[2], target[end]]).toEqual([0xee, 0xee]);
  }
});
