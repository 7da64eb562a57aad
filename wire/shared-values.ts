import { amfError } from './amf-message.ts';
import { ApartWalk } from './amf-walk.ts';
import { Amf0Decoder, Amf0Encoder } from './amf0.ts';
import * as Amf0Marker from './amf0-marker.ts';
import { Amf3Encoder } from './amf3.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { append, lengthOf } from './primordials.ts';
import { AMF_LIMITS, type AmfLimits, type AmfValue } from './values.ts';

/**
 * One AMF value that stands by itself, in AMF0 or, behind 0x11, in AMF3: what it refers to is in it. In a message of
 * several values the tables of references go on from one to the next, so those that refer cannot just be joined.
 */
export interface SharedValue {
  readonly bytes: Uint8Array;
  readonly hasReferences: boolean;
  /** Some of it, or all, is AMF3. */
  readonly hasAmf3: boolean;
}

/** Each value was within the limits when it came, but those of one message need not be so together. */
const NO_LIMITS: AmfLimits = { depth: Number.POSITIVE_INFINITY, values: Number.POSITIVE_INFINITY };
/** Of values that had to be encoded anew, together: a few references can stand for any number of copies. */
const MAX_ENCODED_BYTES = 1024 * 1024;

/**
 * Takes the values of one message apart; until `finish` nothing else may walk. Throws `E_AMF` or `E_TRUNCATED` for what
 * is malformed or too much.
 */
export class ValueSplitter {
  readonly #source: Uint8Array;
  readonly #limits: AmfLimits;
  readonly #walk: ApartWalk;
  /** Each value, with where it begins. Those that refer to earlier ones are not known before the end. */
  readonly #taken: { start: number; value: { -readonly [K in keyof SharedValue]: SharedValue[K] } }[] = [];
  /** How many of them it takes to know all that refer to earlier ones. */
  #needed = 0;

  constructor(source: Uint8Array, limits: AmfLimits = AMF_LIMITS) {
    this.#source = source;
    this.#limits = limits;
    this.#walk = new ApartWalk(source, limits);
  }

  /** The next value of the message, at the reader's position; complete after `finish`. A view of it, if that will do. */
  take(data: ByteReader): SharedValue {
    const start = data.position;
    const end = this.#walk.value(start, data.end);
    const { isAlone, hasReferences, hasAmf3 } = this.#walk;
    const bytes = data.take(end - start);
    const value = { bytes: isAlone ? bytes : NOTHING, hasReferences, hasAmf3 };
    append(this.#taken, { start, value });
    if (!isAlone) this.#needed = this.#taken.length;
    return value;
  }

  /** Gives values that refer to earlier ones a copy of what they refer to. */
  finish(): void {
    const reader = new ByteReader(this.#source);
    const decoder = new Amf0Decoder(reader, this.#limits);
    let left = MAX_ENCODED_BYTES;
    for (let i = 0; i < this.#needed; i++) {
      const { start, value } = this.#taken[i]!;
      reader.position = start;
      const decoded = decoder.value();
      if (value.bytes !== NOTHING) continue;
      const encoding = this.#source[start] === Amf0Marker.Avmplus ? 3 : 0;
      const alone = sharedValueOf(decoded, encoding, this.#limits, left);
      left -= lengthOf(alone.bytes);
      value.bytes = alone.bytes;
      value.hasReferences = alone.hasReferences;
      value.hasAmf3 = alone.hasAmf3;
    }
  }
}

const NOTHING = new Uint8Array(0);

/** A value as the bytes of a shared object. What AMF0 cannot say is written in AMF3. Throws `E_TOO_LONG`. */
export function sharedValueOf(
  value: unknown,
  encoding: 0 | 3,
  limits: AmfLimits = AMF_LIMITS,
  maxBytes = MAX_ENCODED_BYTES,
): SharedValue {
  const writer = new ByteWriter(256, maxBytes);
  encoderOf(writer, encoding, limits)(value);
  const bytes = writer.copy();
  const walk = new ApartWalk(bytes, limits);
  walk.value(0, lengthOf(bytes));
  return { bytes, hasReferences: walk.hasReferences, hasAmf3: walk.hasAmf3 };
}

/** Values that were encoded by themselves, one after the other. Throws `E_AMF` for what is malformed. */
export function sharedValuesFrom(bytes: Uint8Array, limits: AmfLimits = AMF_LIMITS): SharedValue[] {
  const splitter = new ValueSplitter(bytes, limits);
  const reader = new ByteReader(bytes);
  const values: SharedValue[] = [];
  while (reader.remaining > 0) append(values, splitter.take(reader));
  splitter.finish();
  return values;
}

/** The one value that these bytes are. Throws as above. */
export function sharedValueFrom(bytes: Uint8Array, limits: AmfLimits = AMF_LIMITS): SharedValue {
  const walk = new ApartWalk(bytes, limits);
  if (walk.value(0, lengthOf(bytes)) !== lengthOf(bytes)) throw amfError('more than one value', 0);
  return { bytes, hasReferences: walk.hasReferences, hasAmf3: walk.hasAmf3 };
}

export function readSharedValue({ bytes }: SharedValue, limits: AmfLimits = AMF_LIMITS): AmfValue {
  return new Amf0Decoder(new ByteReader(bytes), limits).value();
}

/** The same in AMF0, as far as AMF0 can say it. Throws `E_TOO_LONG` when it would need more bytes. */
export function inAmf0(value: SharedValue, maxBytes = MAX_ENCODED_BYTES): SharedValue {
  return value.hasAmf3 ? sharedValueOf(readSharedValue(value), 0, AMF_LIMITS, maxBytes) : value;
}

/**
 * How these values go into one message: as they are, or, when one that is not the first refers to something, all of
 * them encoded anew, one after the other. What it returns is called once for each, in order.
 */
export function joinerOf(
  writer: ByteWriter,
  values: readonly SharedValue[],
  encoding: 0 | 3,
): (value: SharedValue) => void {
  let refers = false;
  for (let i = 1; i < values.length; i++) if (values[i]!.hasReferences) refers = true;
  if (!refers) return ({ bytes }) => writer.bytes(bytes);
  const write = encoderOf(writer, encoding, NO_LIMITS);
  return (value) => write(readSharedValue(value));
}

/** Values as one message has them, such as the name and the arguments of a handler. */
export function joined(values: readonly SharedValue[], encoding: 0 | 3): Uint8Array {
  const writer = new ByteWriter();
  const write = joinerOf(writer, values, encoding);
  for (let i = 0; i < values.length; i++) write(values[i]!);
  return writer.copy();
}

function encoderOf(writer: ByteWriter, encoding: 0 | 3, limits: AmfLimits): (value: unknown) => void {
  if (encoding === 0) {
    const encoder = new Amf0Encoder(writer, { limits });
    return (value) => encoder.value(value);
  }
  const encoder = new Amf3Encoder(writer, { limits });
  return (value) => {
    writer.u8(Amf0Marker.Avmplus);
    encoder.value(value);
  };
}
