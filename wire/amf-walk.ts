import { amfError, countError, depthError, markerError, referenceError, valuesError } from './amf-message.ts';
import * as Amf0Marker from './amf0-marker.ts';
import { flexWrappers } from './amf3.ts';
import * as Amf3Marker from './amf3-marker.ts';
import { StagewireError } from './errors.ts';
import { AMF_LIMITS, type AmfLimits } from './values.ts';

/*
 * What a host does with values it only passes on: proves that they are well formed and bounded, without making
 * them. The walk mirrors Amf0Decoder and Amf3Decoder check by check, so it accepts what they accept; nothing is
 * allocated per value, the state of the walk is that of this module. A walk never calls anything that walks.
 */

/**
 * Proves that bytes `start` to `end` are a sequence of AMF0 values (with AMF3 behind 0x11) that `Amf0Decoder`
 * takes with the same limits and `lenientEnd`. Returns how many values there are at the top. Throws what the
 * decoder throws: `E_AMF` or `E_TRUNCATED`.
 */
export function walkAmf0(
  source: Uint8Array,
  start = 0,
  sourceEnd = source.length,
  limits: AmfLimits = AMF_LIMITS,
  lenientEnd = false,
): number {
  begin(source, start, sourceEnd, limits, lenientEnd);
  try {
    let count = 0;
    while (at < end) {
      value0();
      count++;
    }
    return count;
  } finally {
    bytes = nothing;
  }
}

/**
 * A walk over values that lie apart in one message, with something else between them. They share its tables of
 * references, and its limits. Until the last of them is walked, nothing else may be.
 */
export class ApartWalk {
  /** Of the last value: it refers to nothing that other values of the message brought. */
  isAlone = true;
  /** Of the last value: it refers to something. */
  hasReferences = false;
  /** Of the last value: some of it, or all, is AMF3. */
  hasAmf3 = false;

  constructor(source: Uint8Array, limits: AmfLimits = AMF_LIMITS) {
    begin(source, 0, source.length, limits, false);
  }

  /** Returns the position after the value at `start`, which ends before `valueEnd`. */
  value(start: number, valueEnd: number): number {
    at = start;
    end = valueEnd;
    const isFirst = complex0 + strings3 + objects3 + traits3 === 0;
    hasReference = hasAmf3 = false;
    value0();
    this.isAlone = isFirst || !hasReference;
    this.hasReferences = hasReference;
    this.hasAmf3 = hasAmf3;
    return at;
  }
}

const nothing: Uint8Array = new Uint8Array(0);

let bytes = nothing;
let at = 0;
let end = 0;
let maxDepth = 0;
let maxValues = 0;
let isLenient = false;
let depth = 0;
let values = 0;

/** How many entries the tables of references have. */
let complex0 = 0;
let strings3 = 0;
let objects3 = 0;
let traits3 = 0;
/** Whether the walk has met a reference, and AMF3. */
let hasReference = false;
let hasAmf3 = false;

/** Whether each AMF3 string is the name of a Flex wrapper; grows when a message has more strings than any before. */
let wrapperNames = new Uint8Array(1024);

/** Each AMF3 traits: the number of sealed members times four, plus the flags. */
let traits = new Int32Array(256);
const DYNAMIC = 1;
const WRAPPER = 2;

function begin(
  source: Uint8Array,
  start: number,
  sourceEnd: number,
  limits: AmfLimits,
  lenient: boolean,
): void {
  bytes = source;
  at = start;
  end = sourceEnd;
  maxDepth = limits.depth;
  maxValues = limits.values;
  isLenient = lenient;
  depth = values = complex0 = strings3 = objects3 = traits3 = 0;
}

function value0(): void {
  const marker = u8();
  countValue();
  switch (marker) {
    case Amf0Marker.Number:
      skip(8);
      return;
    case Amf0Marker.Boolean:
      skip(1);
      return;
    case Amf0Marker.String:
      skip(u16());
      return;
    case Amf0Marker.Object:
      pairs0(-1);
      return;
    case Amf0Marker.Null:
    case Amf0Marker.Undefined:
    case Amf0Marker.Unsupported:
      return;
    case Amf0Marker.Reference: {
      const index = u16();
      hasReference = true;
      if (index >= complex0) throw referenceError(index, complex0, at);
      return;
    }
    case Amf0Marker.EcmaArray:
      pairs0(u32());
      return;
    case Amf0Marker.StrictArray:
      strictArray0();
      return;
    case Amf0Marker.Date:
      skip(10);
      return;
    case Amf0Marker.LongString:
    case Amf0Marker.XmlDocument:
      skip(u32());
      return;
    case Amf0Marker.TypedObject:
      skip(u16());
      pairs0(-1);
      return;
    case Amf0Marker.Avmplus:
      hasAmf3 = true;
      value3();
      return;
    default:
      throw markerError(0, marker, at - 1);
  }
}

/** `count`: what an ECMA array announced; −1 for objects, which always need their end marker. */
function pairs0(count: number): void {
  enter();
  complex0++;
  for (let pairs = 0; !(at === end && (pairs === count || isTolerableEnd())); pairs++) {
    const length = u16();
    if (length === 0) {
      need(1);
      if (bytes[at] === Amf0Marker.ObjectEnd) {
        at++;
        break;
      }
    } else {
      skip(length);
    }
    value0();
  }
  depth--;
}

function strictArray0(): void {
  const count = u32();
  if (count > end - at) throw countError(count, end - at, at);
  enter();
  complex0++;
  for (let i = 0; i < count; i++) value0();
  depth--;
}

function value3(): void {
  const marker = u8();
  countValue();
  switch (marker) {
    case Amf3Marker.Undefined:
    case Amf3Marker.Null:
    case Amf3Marker.False:
    case Amf3Marker.True:
      return;
    case Amf3Marker.Integer:
      u29();
      return;
    case Amf3Marker.Double:
      skip(8);
      return;
    case Amf3Marker.String:
      string3();
      return;
    case Amf3Marker.XmlDocument:
    case Amf3Marker.Date:
    case Amf3Marker.Xml:
    case Amf3Marker.ByteArray:
    case Amf3Marker.VectorInt:
    case Amf3Marker.VectorUint:
    case Amf3Marker.VectorDouble:
      leaf3(marker);
      return;
    case Amf3Marker.Array:
      array3();
      return;
    case Amf3Marker.Object:
      object3();
      return;
    case Amf3Marker.VectorObject:
      objectVector3();
      return;
    case Amf3Marker.Dictionary:
      dictionary3();
      return;
    default:
      throw markerError(3, marker, at - 1);
  }
}

function leaf3(marker: number): void {
  const header = u29();
  if ((header & 1) === 0) {
    reference3(header >> 1);
    return;
  }
  const size = header >> 1;
  switch (marker) {
    case Amf3Marker.Date:
      skip(8);
      break;
    case Amf3Marker.VectorInt:
    case Amf3Marker.VectorUint:
      skip(1);
      skip(size * 4);
      break;
    case Amf3Marker.VectorDouble:
      skip(1);
      skip(size * 8);
      break;
    default:
      skip(size);
  }
  objects3++;
}

function array3(): void {
  const header = u29();
  if ((header & 1) === 0) {
    reference3(header >> 1);
    return;
  }
  const count = header >> 1;
  checkCount(count, count);
  enter();
  objects3++;
  while (string3()) value3();
  for (let i = 0; i < count; i++) value3();
  depth--;
}

function object3(): void {
  const header = u29();
  if ((header & 1) === 0) {
    reference3(header >> 1);
    return;
  }
  enter();
  const shape = (header & 2) === 0 ? knownTraits3(header >> 2) : newTraits3(header);
  objects3++;
  const sealed = shape >> 2;
  for (let i = 0; i < sealed; i++) value3();
  if ((shape & WRAPPER) !== 0) {
    value3();
  } else if ((shape & DYNAMIC) !== 0 && !isTolerableEnd()) {
    while (string3()) {
      value3();
      if (isTolerableEnd()) break;
    }
  }
  depth--;
}

function knownTraits3(index: number): number {
  hasReference = true;
  if (index >= traits3) throw referenceError(index, traits3, at);
  return traits[index]!;
}

function newTraits3(header: number): number {
  let shape = (header & 8) !== 0 ? DYNAMIC : 0;
  const isWrapper = className3();
  if ((header & 4) !== 0) {
    if (!isWrapper) throw amfError('externalizable class', at);
    shape = WRAPPER;
  } else {
    const count = header >> 4;
    checkCount(count, count);
    for (let i = 0; i < count; i++) string3();
    shape |= count << 2;
  }
  if (traits3 === traits.length) {
    const more = new Int32Array(traits.length * 2);
    more.set(traits);
    traits = more;
  }
  traits[traits3++] = shape;
  return shape;
}

function objectVector3(): void {
  const header = u29();
  if ((header & 1) === 0) {
    reference3(header >> 1);
    return;
  }
  const count = header >> 1;
  checkCount(count, count);
  enter();
  skip(1);
  string3();
  objects3++;
  for (let i = 0; i < count; i++) value3();
  depth--;
}

function dictionary3(): void {
  const header = u29();
  if ((header & 1) === 0) {
    reference3(header >> 1);
    return;
  }
  const count = header >> 1;
  checkCount(count, count * 2);
  enter();
  skip(1);
  objects3++;
  for (let i = 0; i < count; i++) {
    value3();
    value3();
  }
  depth--;
}

function reference3(index: number): void {
  hasReference = true;
  if (index >= objects3) throw referenceError(index, objects3, at);
}

/** Returns whether the string is not the empty one. */
function string3(): boolean {
  const header = u29();
  if (header === 1) return false;
  if ((header & 1) === 0) {
    hasReference = true;
    if (header >> 1 >= strings3) throw referenceError(header >> 1, strings3, at);
    return true;
  }
  const start = at;
  skip(header >> 1);
  addString(start);
  return true;
}

/** Returns whether the string, new or referred to, is the name of a Flex wrapper. */
function className3(): boolean {
  const start = at;
  if (!string3()) return false;
  const header = u29At(start);
  return wrapperNames[(header & 1) === 0 ? header >> 1 : strings3 - 1] === 1;
}

function addString(start: number): void {
  if (strings3 === wrapperNames.length) {
    const more = new Uint8Array(wrapperNames.length * 2);
    more.set(wrapperNames);
    wrapperNames = more;
  }
  wrapperNames[strings3++] = isWrapperName(start, at) ? 1 : 0;
}

function isWrapperName(start: number, stop: number): boolean {
  // All four begin like this; nearly nothing else does.
  if (stop - start < 20 || bytes[start] !== 0x66 || bytes[start + 1] !== 0x6c) return false;
  for (let i = 0; i < flexWrappers.length; i++) {
    const name = flexWrappers[i]!;
    if (name.length !== stop - start) continue;
    let same = 0;
    while (same < name.length && name.charCodeAt(same) === bytes[start + same]) same++;
    if (same === name.length) return true;
  }
  return false;
}

function u29At(position: number): number {
  const back = at;
  at = position;
  const value = u29();
  at = back;
  return value;
}

function u29(): number {
  let byte = u8();
  if (byte < 0x80) return byte;
  let value = byte & 0x7f;
  byte = u8();
  if (byte < 0x80) return (value << 7) | byte;
  value = (value << 7) | (byte & 0x7f);
  byte = u8();
  if (byte < 0x80) return (value << 7) | byte;
  value = (value << 7) | (byte & 0x7f);
  return (value << 8) | u8();
}

function u8(): number {
  need(1);
  return bytes[at++]!;
}

function u16(): number {
  need(2);
  const value = bytes[at]! * 0x100 + bytes[at + 1]!;
  at += 2;
  return value;
}

function u32(): number {
  return u16() * 0x10000 + u16();
}

function skip(count: number): void {
  need(count);
  at += count;
}

function need(count: number): void {
  if (count > end - at)
    throw new StagewireError('E_TRUNCATED', 'peer', `needed ${count} bytes, ${end - at} left`);
}

function checkCount(count: number, leastBytes: number): void {
  if (leastBytes > end - at) throw countError(count, end - at, at);
}

function countValue(): void {
  if (++values > maxValues) throw valuesError({ depth: maxDepth, values: maxValues }, at - 1);
}

function enter(): void {
  if (++depth > maxDepth) throw depthError({ depth: maxDepth, values: maxValues }, at);
}

function isTolerableEnd(): boolean {
  return at === end && depth === 1 && isLenient;
}
