import { classicFrom, isClassic } from './classic-heads.ts';
import { AudioFormat, AudioPacketType, isSeekCommand, VideoPacketType } from './media-head.ts';
import { defaultTrackOf, fourCcAt, packetTypeAt, tracksOf, withoutModEx } from './media-tracks.ts';
import { MessageType, type RtmpMessage } from './messages.ts';
import { enhancedFrom, renumberedCodec } from './renumbered.ts';

/** `capsEx` of Enhanced RTMP v2: what an end can do beyond RTMP 1.0. */
export const CapsEx = {
  /** It connects again when it is asked to. */
  Reconnect: 1,
  Multitrack: 2,
  ModEx: 4,
} as const;

/** What a client must know to understand a message. */
export interface MediaNeeds {
  readonly hasModEx: boolean;
  readonly isMultitrack: boolean;
  /** Tracks beside track 0. */
  readonly hasOthers: boolean;
  /** A codec of Enhanced RTMP in the old head. */
  readonly isRenumbered: boolean;
  /** Of its tracks, by FourCC. */
  readonly codecs: readonly string[];
  /** The one of track 0; undefined when that is not among them. */
  readonly defaultCodec: string | undefined;
}

/** `undefined` for what every client knows, the heads of RTMP 1.0 that is, and for heads that are cut off. */
export function needsOf(type: number, payload: Uint8Array): MediaNeeds | undefined {
  if (payload.length === 0) return undefined;
  const first = payload[0]!;
  if (type === MessageType.Video) {
    if (!(first & 0x80)) return renumberedNeeds(payload);
    if (isSeekCommand(payload)) return undefined;
    return enhancedNeeds(payload, VideoPacketType.Multitrack);
  }
  if (type !== MessageType.Audio || first >> 4 !== AudioFormat.Enhanced) return undefined;
  return enhancedNeeds(payload, AudioPacketType.Multitrack);
}

/** The same needs have the same name. */
export function nameOfNeeds(needs: MediaNeeds): string {
  const { hasModEx, isMultitrack, hasOthers, isRenumbered, codecs, defaultCodec } = needs;
  const name = isMultitrack ? `${defaultCodec ?? ''}/${hasOthers ? codecs.join(',') : ''}` : codecs[0]!;
  if (isRenumbered) return `old ${name}`;
  return hasModEx ? `ModEx ${name}` : name;
}

/** All different needs of these messages. */
export function needsOfAll(messages: Iterable<Pick<RtmpMessage, 'type' | 'payload'>>): MediaNeeds[] {
  const met = new Map<string, MediaNeeds>();
  for (const { type, payload } of messages) {
    const needs = needsOf(type, payload);
    if (needs) met.set(nameOfNeeds(needs), needs);
  }
  return [...met.values()];
}

/** What a client can do with media beyond RTMP 1.0, as it said when it connected. */
export class CodecSupport {
  static readonly all = new CodecSupport(['*'], CapsEx.Multitrack | CapsEx.ModEx);
  /** For players that cannot say what they know: every codec, in the plainest way of wrapping it. */
  static readonly plain = new CodecSupport(['*']);
  static readonly none = new CodecSupport([]);
  readonly #names: ReadonlySet<string>;
  readonly #capsEx: number;

  constructor(names: Iterable<string>, capsEx = 0) {
    this.#names = new Set(names);
    this.#capsEx = capsEx;
  }

  /** What `CodecSupport` makes the same of again, in another process. */
  get told(): 'plain' | { names: string[]; capsEx: number } {
    if (this === CodecSupport.plain) return 'plain';
    // A client may have said anything.
    const names = [...this.#names].filter((name) => name.length <= FOUR_CC);
    return { names, capsEx: this.#capsEx & (CapsEx.Reconnect | CapsEx.Multitrack | CapsEx.ModEx) };
  }

  /**
   * The message as such a client can take it: with another head, without ModEx, or track 0 alone, when it must be. `undefined` when there is no such way.
   */
  fit(type: number, payload: Uint8Array): Uint8Array | undefined {
    const needs = needsOf(type, payload);
    if (!needs) return payload;
    const lack = this.lackOf(needs);
    if (lack !== undefined && lack !== TRACKS) return undefined;
    if (needs.isRenumbered) return this.#takesAny ? payload : enhancedFrom(payload, needs.codecs[0]!);
    const isWrapped = needs.isMultitrack && this.#takesTracks(needs);
    const tracks = needs.isMultitrack && !isWrapped ? defaultTrackOf(payload) : payload;
    if (tracks && !isWrapped && this.#wantsClassic(needs))
      return classicFrom(withoutModEx(tracks), needs.defaultCodec!);
    return tracks && (needs.hasModEx && !this.#can(CapsEx.ModEx) ? withoutModEx(tracks) : tracks);
  }

  /** Whether such a client is sent it as it is. */
  takes(needs: MediaNeeds): boolean {
    if (this.lackOf(needs) !== undefined || (needs.isRenumbered && !this.#takesAny)) return false;
    if (needs.isMultitrack ? !this.#takesTracks(needs) : this.#wantsClassic(needs)) return false;
    return !needs.hasModEx || this.#can(CapsEx.ModEx);
  }

  /** What such a client does not get of it: a codec, `TRACKS` when it is others than track 0, or nothing. */
  lackOf(needs: MediaNeeds): string | undefined {
    const { isMultitrack, hasOthers, codecs, defaultCodec } = needs;
    if (isMultitrack && defaultCodec !== undefined && !this.accepts(defaultCodec)) return defaultCodec;
    if (isMultitrack) return hasOthers && !this.#takesTracks(needs) ? TRACKS : undefined;
    return codecs.find((fourCc) => !this.accepts(fourCc));
  }

  accepts(fourCc: string): boolean {
    return this.#takesAny || this.#names.has(fourCc) || isClassic(fourCc);
  }

  /** H.264 and AAC reach everybody, as RTMP 1.0 has them. */
  #wantsClassic({ defaultCodec = '' }: MediaNeeds): boolean {
    const isKnown = this.#names.has(defaultCodec) || (this.#takesAny && this !== CodecSupport.plain);
    return isClassic(defaultCodec) && !isKnown;
  }

  get #takesAny(): boolean {
    return this.#names.has('*');
  }

  #takesTracks({ codecs }: MediaNeeds): boolean {
    return this.#can(CapsEx.Multitrack) && codecs.every((fourCc) => this.accepts(fourCc));
  }

  #can(bit: number): boolean {
    return (this.#capsEx & bit) !== 0;
  }

  /**
   * Reads `fourCcList` (version 1), the two info maps and `capsEx` (version 2) of a connect command's object. What a
   * client can forward it can be sent as well as what it can decode.
   */
  static announced(properties: Readonly<Record<string, unknown>>): CodecSupport {
    const names: string[] = [];
    const { fourCcList, capsEx } = properties;
    if (Array.isArray(fourCcList))
      for (const name of fourCcList) if (typeof name === 'string') names.push(name);
    for (const key of ['videoFourCcInfoMap', 'audioFourCcInfoMap']) {
      const map = properties[key];
      if (typeof map !== 'object' || map === null) continue;
      for (const [name, flags] of Object.entries(map))
        if (typeof flags === 'number' && flags & (DECODE | FORWARD)) names.push(name);
    }
    return new CodecSupport(names.slice(0, MAX_NAMES), typeof capsEx === 'number' ? capsEx : 0);
  }
}

/** What is lacking when it is not a codec: tracks other than the default one. */
export const TRACKS = 'tracks';

const DECODE = 1;
const FORWARD = 4;
/** Characters of the name of a codec. */
const FOUR_CC = 4;
const MAX_NAMES = 256;

/** What the server says of itself in its answer: it passes on everything. */
export const forwardsAll = {
  fourCcList: ['*'],
  videoFourCcInfoMap: { '*': FORWARD },
  audioFourCcInfoMap: { '*': FORWARD },
} as const;

function renumberedNeeds(payload: Uint8Array): MediaNeeds | undefined {
  const codec = renumberedCodec(payload);
  if (codec === undefined) return undefined;
  return {
    hasModEx: false,
    isMultitrack: false,
    hasOthers: false,
    isRenumbered: true,
    codecs: [codec],
    defaultCodec: codec,
  };
}

function enhancedNeeds(payload: Uint8Array, multitrack: number): MediaNeeds | undefined {
  const at = packetTypeAt(payload);
  if (at < 0) return undefined;
  const hasModEx = at > 0;
  if ((payload[at]! & 15) !== multitrack) {
    if (at + 5 > payload.length) return undefined;
    const fourCc = fourCcAt(payload, at + 1);
    return {
      hasModEx,
      isMultitrack: false,
      hasOthers: false,
      isRenumbered: false,
      codecs: [fourCc],
      defaultCodec: fourCc,
    };
  }
  const tracks = tracksOf(payload, at) ?? [];
  const codecs = [...new Set(tracks.map(({ fourCc }) => fourCc))];
  const defaultCodec = tracks.find(({ trackId }) => trackId === 0)?.fourCc;
  return {
    hasModEx,
    isMultitrack: true,
    hasOthers: defaultCodec === undefined || tracks.length > 1,
    isRenumbered: false,
    codecs,
    defaultCodec,
  };
}
