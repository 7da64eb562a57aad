import {
  AudioFormat,
  AudioPacketType,
  MultitrackType,
  packetTypeAt,
  parseAudioHead,
  parseVideoHead,
  VideoPacketType,
} from './media-head.ts';
import { MessageType } from './messages.ts';

const NONE: readonly string[] = [];
const FORWARD = 4;

/**
 * The codecs that an enhanced head names, by FourCC (Enhanced RTMP v2): most often one. None for the heads of RTMP 1.0,
 * which every client knows, and for what is malformed.
 */
export function fourCcsOf(type: number, payload: Uint8Array): readonly string[] {
  if (payload.length < 5) return NONE;
  const isVideo = type === MessageType.Video;
  if (
    isVideo ? !(payload[0]! & 0x80) : type !== MessageType.Audio || payload[0]! >> 4 !== AudioFormat.Enhanced
  )
    return NONE;
  const at = packetTypeAt(payload);
  if (at < 0) return NONE;
  const multitrack = isVideo ? VideoPacketType.Multitrack : AudioPacketType.Multitrack;
  if ((payload[at]! & 15) !== multitrack) return at + 5 <= payload.length ? [text(payload, at + 1)] : NONE;
  if (at + 6 > payload.length) return NONE;
  if (payload[at + 1]! >> 4 !== MultitrackType.ManyTracksManyCodecs) return [text(payload, at + 2)];
  try {
    const head = isVideo ? parseVideoHead(payload) : parseAudioHead(payload);
    return [...new Set(head?.tracks?.map(({ fourCc }) => fourCc))];
  } catch {
    return NONE;
  }
}

/** What a client can do with codecs beyond those of RTMP 1.0, as it said when it connected. */
export class CodecSupport {
  static readonly all = new CodecSupport(['*']);
  static readonly none = new CodecSupport([]);
  readonly #names: ReadonlySet<string>;

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
  }

  /** Whether it knows all codecs. */
  get isWhole(): boolean {
    return this.#names.has('*');
  }

  accepts(fourCc: string): boolean {
    return this.isWhole || this.#names.has(fourCc);
  }

  /**
   * Reads `fourCcList` (version 1) and the two info maps (version 2) of a connect command's object. What a client can
   * forward it can be sent as well as what it can decode.
   */
  static announced(properties: Readonly<Record<string, unknown>>): CodecSupport {
    const names: string[] = [];
    const { fourCcList } = properties;
    if (Array.isArray(fourCcList))
      for (const name of fourCcList) if (typeof name === 'string') names.push(name);
    for (const key of ['videoFourCcInfoMap', 'audioFourCcInfoMap']) {
      const map = properties[key];
      if (typeof map !== 'object' || map === null) continue;
      for (const [name, flags] of Object.entries(map))
        if (typeof flags === 'number' && flags & (DECODE | FORWARD)) names.push(name);
    }
    return new CodecSupport(names.slice(0, MAX_NAMES));
  }
}

const DECODE = 1;
const MAX_NAMES = 256;

/** What the server says of itself in its answer: it passes on everything. */
export const forwardsAll = {
  fourCcList: ['*'],
  videoFourCcInfoMap: { '*': FORWARD },
  audioFourCcInfoMap: { '*': FORWARD },
} as const;

function text(payload: Uint8Array, at: number): string {
  return String.fromCharCode(payload[at]!, payload[at + 1]!, payload[at + 2]!, payload[at + 3]!);
}
