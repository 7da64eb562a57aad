import { describe, expect, test } from 'vitest';
import { CodecSupport, needsOf, TRACKS } from '../../wire/codecs.ts';
import { MessageType } from '../../wire/messages.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const { Video, Audio } = MessageType;
const announced = (capsEx: number, ...fourCcList: string[]) => CodecSupport.announced({ fourCcList, capsEx });

/** Players, by what they announced. */
const nothing = CodecSupport.none;
const hevc = announced(0, 'hvc1');
const hevcModEx = announced(4, 'hvc1');
const hevcTracks = announced(2, 'hvc1');
const everything = announced(6, 'hvc1', 'av01', 'Opus');

const oneTrack = '96 01 68766331 00 00002a aabb';
const sideTrack = '96 01 68766331 01 00002a aabb';
const manyTracks = '96 11 68766331 01 000004 00000011 00 000005 00002aaabb';
const manyCodecs = '96 21 68766331 00 000005 00002aaabb 61763031 01 000001 cc';
const modEx = '97 02 0f4240 01 68766331 00002a aabb';
const longModEx = `97 ff 00ff ${'00'.repeat(256)} 01 68766331 00002a aabb`;
const modExTrack = '97 02 0f4240 06 01 68766331 00 00002a aabb';
const plain = '91 68766331 00002a aabb';

const cases = [
  { name: 'HEVC', type: Video, hex: plain, to: [undefined, plain, plain, plain, plain] },
  { name: 'track 0 alone', type: Video, hex: oneTrack, to: [undefined, plain, plain, oneTrack, oneTrack] },
  {
    name: 'track 1 alone',
    type: Video,
    hex: sideTrack,
    to: [undefined, undefined, undefined, sideTrack, sideTrack],
  },
  { name: 'two tracks', type: Video, hex: manyTracks, to: [undefined, plain, plain, manyTracks, manyTracks] },
  { name: 'two codecs', type: Video, hex: manyCodecs, to: [undefined, plain, plain, plain, manyCodecs] },
  { name: 'ModEx', type: Video, hex: modEx, to: [undefined, plain, modEx, plain, modEx] },
  { name: 'long ModEx', type: Video, hex: longModEx, to: [undefined, plain, longModEx, plain, longModEx] },
  {
    name: 'ModEx before a track',
    type: Video,
    hex: modExTrack,
    to: [undefined, plain, modEx, oneTrack, modExTrack],
  },
  {
    name: 'tracks that reach beyond the end',
    type: Video,
    hex: '96 11 68766331 00 0000ff aabb',
    to: [undefined, undefined, undefined, '96 11 68766331 00 0000ff aabb', '96 11 68766331 00 0000ff aabb'],
  },
  {
    name: 'track 0 of sound',
    type: Audio,
    hex: '95 01 4f707573 00 fc11',
    to: [undefined, undefined, undefined, undefined, '95 01 4f707573 00 fc11'],
  },
  { name: 'H.264', type: Video, hex: '17 01 000000 aabb', to: Array(5).fill('17 01 000000 aabb') },
  {
    name: 'HEVC as codec 12',
    type: Video,
    hex: '1c 01 00002a aabb',
    to: [undefined, plain, plain, plain, plain],
  },
  {
    name: 'its configuration',
    type: Video,
    hex: '1c 00 000000 0101',
    to: [undefined, ...Array(4).fill('90 68766331 0101')],
  },
  {
    name: 'its end',
    type: Video,
    hex: '1c 02',
    to: [undefined, ...Array(4).fill('92 68766331')],
  },
  {
    name: 'AV1 as codec 13',
    type: Video,
    hex: '2d 01 000000 aabb',
    to: [undefined, undefined, undefined, undefined, 'a1 61763031 aabb'],
  },
  {
    name: 'H.264 under its enhanced name',
    type: Video,
    hex: '91 61766331 00002a aabb',
    to: Array(5).fill('17 01 00002a aabb'),
  },
  {
    name: 'H.264 without a composition time, in track 0',
    type: Video,
    hex: 'a6 03 61766331 00 aabb',
    to: [...Array(3).fill('27 01 000000 aabb'), ...Array(2).fill('a6 03 61766331 00 aabb')],
  },
  { name: 'its configuration', type: Video, hex: '90 61766331 0142', to: Array(5).fill('17 00 000000 0142') },
  { name: 'its colours', type: Video, hex: '94 61766331 0200', to: Array(5).fill(undefined) },
  { name: 'AAC with ModEx', type: Audio, hex: '97 00 07 01 6d703461 21', to: Array(5).fill('af 01 21') },
  { name: 'the configuration of AAC', type: Audio, hex: '90 6d703461 1210', to: Array(5).fill('af 00 1210') },
  { name: 'a seek command with the number 12', type: Video, hex: '5c 00', to: Array(5).fill('5c 00') },
  { name: 'a seek command', type: Video, hex: 'd0 00 00 00 00', to: Array(5).fill('d0 00 00 00 00') },
];

for (const { name, type, hex, to } of cases) {
  test(`${name} reaches each player as it can take it`, () => {
    const players = [nothing, hevc, hevcModEx, hevcTracks, everything];
    const fitting = players.map((support) => support.fit(type, fromHex(hex)));
    expect(fitting.map((payload) => payload && toHex(payload))).toEqual(
      to.map((expected) => expected && toHex(fromHex(expected))),
    );
  });
}

test('sound loses its wrapping as pictures do', () => {
  const opus = announced(0, 'Opus');
  expect(toHex(opus.fit(Audio, fromHex('97 02 000001 05 01 4f707573 00 fc11'))!)).toBe('914f707573fc11');
  expect(toHex(opus.fit(Audio, fromHex('97 02 000001 05 01 4f707573 00 fc11'))!)).toBe('914f707573fc11');
});

describe('what a player does not get', () => {
  test.each([
    [oneTrack, 'hvc1', undefined],
    [sideTrack, TRACKS, undefined],
    [manyTracks, 'hvc1', undefined],
    [manyCodecs, 'hvc1', TRACKS],
    [modEx, 'hvc1', undefined],
  ])('of %s', (hex, lackOfNothing, lackOfTracks) => {
    const needs = needsOf(Video, fromHex(hex))!;
    expect(nothing.lackOf(needs)).toBe(lackOfNothing);
    expect(hevcTracks.lackOf(needs)).toBe(lackOfTracks);
  });

  test('is nothing of what is only unwrapped', () => {
    for (const hex of [modEx, oneTrack]) {
      const needs = needsOf(Video, fromHex(hex))!;
      expect(hevc.lackOf(needs)).toBeUndefined();
      expect(hevc.takes(needs)).toBe(false);
    }
  });
});

test('a player that takes every codec, and said no more, is not sent tracks', () => {
  for (const support of [CodecSupport.plain, announced(0, '*')])
    expect(support.fit(Video, fromHex(sideTrack))).toBeUndefined();
  expect(toHex(CodecSupport.plain.fit(Video, fromHex('1c 01 00002a aabb'))!)).toBe('1c0100002aaabb');
  expect(CodecSupport.all.fit(Video, fromHex(sideTrack))).toBeDefined();
  const avc = fromHex('91 61766331 00002a aabb');
  expect(toHex(CodecSupport.plain.fit(Video, avc)!)).toBe('170100002aaabb');
  expect(announced(0, '*').fit(Video, avc)).toBe(avc);
  expect(announced(0, 'avc1').fit(Video, avc)).toBe(avc);
});

test('any bytes are fitted without fail, and hardly longer than they were', () => {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 16;
  };
  const heads = [oneTrack, sideTrack, manyTracks, manyCodecs, modEx, modExTrack].map(fromHex);
  for (let round = 0; round < 20_000; round++) {
    const body = heads[round % heads.length]!.slice(0, 1 + (random() % 24));
    for (let count = round % 4; count > 0; count--) body[random() % body.length] = random();
    for (const support of [nothing, hevc, hevcModEx, hevcTracks, everything, CodecSupport.plain])
      for (const type of [Video, Audio])
        expect(support.fit(type, body)?.length ?? 0).toBeLessThanOrEqual(body.length + 5);
  }
});
