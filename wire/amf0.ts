import {
  AmfBudget,
  AmfEncodeState,
  associativeKeys,
  countError,
  depthError,
  errorKeys,
  isPromise,
  itemsOf,
  markerError,
  ObjectTable,
  referenceError,
  Shape,
  shapeOf,
  unboxed,
  valuesError,
} from './amf-message.ts';
import * as Amf0Marker from './amf0-marker.ts';
import { Amf3Decoder, Amf3Encoder } from './amf3.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import {
  append,
  isArray,
  keysOf,
  NativeDate,
  objectPrototype,
  SafeSet,
  timeOf,
  toText,
} from './primordials.ts';
import { utf8Length } from './utf8.ts';
import {
  AMF_LIMITS,
  type AmfDecodeOptions,
  type AmfEncodeOptions,
  type AmfObject,
  type AmfValue,
  classNameOf,
  EcmaArray,
  NO_OPTIONS,
  setProperty,
  TypedObject,
  XmlDocument,
} from './values.ts';

/** All values of a message body. */
export function decodeAmf0(
  bytes: Uint8Array,
  limits = AMF_LIMITS,
  options: AmfDecodeOptions = NO_OPTIONS,
): AmfValue[] {
  const reader = new ByteReader(bytes);
  const decoder = new Amf0Decoder(reader, limits, options);
  const values: AmfValue[] = [];
  while (reader.remaining > 0) append(values, decoder.value());
  return values;
}

/** A message body of these values. */
export function encodeAmf0(values: readonly unknown[], options: AmfEncodeOptions = NO_OPTIONS): Uint8Array {
  const writer = new ByteWriter();
  const encoder = new Amf0Encoder(writer, options);
  for (let i = 0; i < values.length; i++) encoder.value(values[i]);
  return writer.copy();
}

/**
 * Decodes the values of one message body: references, and the AMF3 tables that all 0x11 values share, live as
 * long as it does. Invalid UTF-8 is replaced; everything else that is wrong is `E_AMF` or `E_TRUNCATED`.
 */
export class Amf0Decoder {
  readonly #reader: ByteReader;
  readonly #options: AmfDecodeOptions;
  readonly #budget: AmfBudget;
  /** Objects and arrays by order of their markers: what 0x07 refers to. Dates and XML have no place in it. */
  readonly #complex: AmfValue[] = [];
  /** Arrays of it that were referred to. */
  #referred: SafeSet<number> | undefined;
  #amf3: Amf3Decoder | undefined;

  constructor(
    reader: ByteReader,
    limits = AMF_LIMITS,
    options: AmfDecodeOptions = NO_OPTIONS,
    budget = new AmfBudget(limits),
  ) {
    this.#reader = reader;
    this.#options = options;
    this.#budget = budget;
  }

  value(): AmfValue {
    const reader = this.#reader;
    const marker = reader.u8();
    const budget = this.#budget;
    if (++budget.values > budget.limits.values) throw valuesError(budget.limits, reader.position - 1);

    switch (marker) {
      case Amf0Marker.Number:
        return reader.f64();
      case Amf0Marker.Boolean:
        return reader.u8() !== 0;
      case Amf0Marker.String:
        return reader.utf8(reader.u16());
      case Amf0Marker.Object:
        return this.#object('');
      case Amf0Marker.Null:
        return null;
      case Amf0Marker.Undefined:
      case Amf0Marker.Unsupported:
        return undefined;
      case Amf0Marker.Reference:
        return this.#reference();
      case Amf0Marker.EcmaArray:
        return this.#ecmaArray();
      case Amf0Marker.StrictArray:
        return this.#strictArray();
      case Amf0Marker.Date: {
        const ms = reader.f64();
        reader.skip(2); // The time zone: reserved, and old players write nonsense.
        return new NativeDate(ms);
      }
      case Amf0Marker.LongString:
        return reader.utf8(reader.u32());
      case Amf0Marker.XmlDocument:
        return new XmlDocument(reader.utf8(reader.u32()));
      case Amf0Marker.TypedObject:
        return this.#object(reader.name(reader.u16()));
      case Amf0Marker.Avmplus:
        this.#amf3 ??= new Amf3Decoder(reader, budget.limits, this.#options, budget);
        return this.#amf3.value();
      default:
        throw markerError(0, marker, reader.position - 1);
    }
  }

  /**
   * The next value, as `value` returns it, but quicker to look things up by where it is one of a few strings that come
   * again and again, such as the name of a method.
   */
  name(): AmfValue {
    const reader = this.#reader;
    if (reader.peek() !== Amf0Marker.String) return this.value();
    this.#budget.values++; // one at most: whatever follows is counted by `value`
    reader.skip(1);
    return reader.name(reader.u16());
  }

  #object(className: string): AmfValue {
    const reader = this.#reader;
    this.#enter();
    const { classes } = this.#options;
    const instance = className === '' ? undefined : classes?.create(className);
    const object = (instance ?? (className === '' ? {} : new TypedObject(className))) as AmfObject;
    const inherited = className === '' ? objectPrototype : object;
    append(this.#complex, object);
    while (!this.#isTolerableEnd()) {
      const length = reader.u16();
      if (length === 0 && this.#endsHere()) break;
      setProperty(object, reader.name(length), this.value(), inherited);
    }
    this.#budget.depth--;
    if (instance !== undefined) classes?.complete?.(instance);
    return object;
  }

  /** The count is a hint, often wrong; but some encoders omit the end marker and rely on it. */
  #ecmaArray(): AmfValue {
    const reader = this.#reader;
    const count = reader.u32();
    this.#enter();
    const index = this.#complex.length;
    const list: AmfValue[] = [];
    let array: EcmaArray | undefined; // Once a key is not the next index.
    append(this.#complex, list as AmfValue);
    for (let pairs = 0; !(reader.remaining === 0 && (pairs === count || this.#isTolerableEnd())); pairs++) {
      const length = reader.u16();
      if (length === 0 && this.#endsHere()) break;
      const key = reader.name(length);
      if (array === undefined && key !== `${pairs}`) array = this.#associate(list, index);
      const value = this.value();
      if (array === undefined) append(list, value);
      else setProperty(array, key, value);
    }
    this.#budget.depth--;
    return array ?? list;
  }

  /** What was read as a list is an associative array after all. */
  #associate(list: AmfValue[], index: number): EcmaArray {
    const array = new EcmaArray();
    for (let i = 0; i < list.length; i++) setProperty(array, i, list[i]);
    this.#complex[index] = array;
    if (this.#referred?.has(index)) this.#replaceSince(index, list, array);
    return array;
  }

  /** Only what was begun since the list can hold a reference to it, so this never looks at the whole message. */
  #replaceSince(index: number, list: AmfValue[], array: EcmaArray): void {
    for (let i = index; i < this.#complex.length; i++) {
      const holder = this.#complex[i] as AmfObject;
      const keys = keysOf(holder);
      for (let at = 0; at < keys.length; at++) {
        const key = keys[at]!;
        if (holder[key] === list) setProperty(holder, key, array);
      }
    }
  }

  #strictArray(): AmfValue {
    const reader = this.#reader;
    const count = reader.u32();
    if (count > reader.remaining) throw countError(count, reader.remaining, reader.position);
    this.#enter();
    const list: AmfValue[] = [];
    append(this.#complex, list as AmfValue);
    for (let i = 0; i < count; i++) append(list, this.value());
    this.#budget.depth--;
    return list;
  }

  #reference(): AmfValue {
    const index = this.#reader.u16();
    const complex = this.#complex;
    if (index >= complex.length) throw referenceError(index, complex.length, this.#reader.position);
    const value = complex[index];
    if (isArray(value)) {
      this.#referred ??= new SafeSet();
      this.#referred.add(index);
    }
    return value;
  }

  #enter(): void {
    const budget = this.#budget;
    if (++budget.depth > budget.limits.depth) throw depthError(budget.limits, this.#reader.position);
  }

  /** After an empty key: an end marker ends the object, anything else is the value of a property named ''. */
  #endsHere(): boolean {
    const reader = this.#reader;
    if (reader.peek() !== Amf0Marker.ObjectEnd) return false;
    reader.skip(1);
    return true;
  }

  #isTolerableEnd(): boolean {
    const reader = this.#reader;
    return reader.position === reader.end && this.#budget.depth === 1 && this.#options.lenientEnd === true;
  }
}

const MAX_U16 = 0xffff;

/**
 * Encodes the values of one message body. What AMF0 cannot say (bytes, vectors, dictionaries, E4X) is written in
 * AMF3 behind 0x11. When `value` throws, what it wrote is incomplete: truncate the writer and `reset`.
 */
export class Amf0Encoder {
  readonly #writer: ByteWriter;
  readonly #state: AmfEncodeState;
  readonly #complex = new ObjectTable();
  #amf3: Amf3Encoder | undefined;

  constructor(writer: ByteWriter, options: AmfEncodeOptions = NO_OPTIONS) {
    this.#writer = writer;
    this.#state = new AmfEncodeState(options);
  }

  /** Begins the next message. */
  reset(): void {
    this.#state.reset();
    this.#complex.clear();
    this.#amf3?.reset();
  }

  value(value: unknown): void {
    const writer = this.#writer;
    this.#state.countValue();
    switch (typeof value) {
      case 'string':
        this.#string(value);
        return;
      case 'number':
        writer.u8(Amf0Marker.Number);
        writer.f64(value);
        return;
      case 'boolean':
        writer.u8(Amf0Marker.Boolean);
        writer.u8(value ? 1 : 0);
        return;
      case 'object':
        if (value === null) writer.u8(Amf0Marker.Null);
        else this.#object(value);
        return;
      case 'undefined':
      case 'function':
        writer.u8(Amf0Marker.Undefined);
        return;
      default:
        throw this.#state.error(`a ${typeof value}`);
    }
  }

  #string(text: string): void {
    const writer = this.#writer;
    writer.u8(Amf0Marker.String);
    if (writer.utf8Short(text)) return;
    writer.truncate(writer.length - 1);
    writer.u8(Amf0Marker.LongString);
    this.#longText(text);
  }

  #longText(text: string): void {
    this.#writer.u32(utf8Length(text));
    this.#writer.utf8(text);
  }

  #object(object: object): void {
    switch (shapeOf(object)) {
      case Shape.Plain:
        this.#properties(object, '', keysOf(object));
        return;
      case Shape.List:
        this.#list(object, object as unknown[]);
        return;
      case Shape.Set:
        this.#list(object, itemsOf(object as Set<unknown>));
        return;
      case Shape.EcmaArray:
        this.#associative(object, keysOf(object));
        return;
      case Shape.Typed:
        this.#properties(object, classNameOf(object) ?? '', keysOf(object));
        return;
      case Shape.Error:
        this.#properties(object, this.#className(object), errorKeys(object));
        return;
      case Shape.Date:
        this.#writer.u8(Amf0Marker.Date);
        this.#writer.f64(timeOf(object as Date));
        this.#writer.u16(0);
        return;
      case Shape.XmlDocument:
        this.#writer.u8(Amf0Marker.XmlDocument);
        this.#longText(toText((object as XmlDocument).text));
        return;
      case Shape.Boxed:
        this.value(unboxed(object));
        return;
      case Shape.Instance:
        this.#instance(object);
        return;
      default:
        this.#writer.u8(Amf0Marker.Avmplus);
        this.#amf3 ??= new Amf3Encoder(this.#writer, this.#state.options, this.#state);
        this.#amf3.value(object);
    }
  }

  #instance(object: object): void {
    const { options } = this.#state;
    if (options.isOpaque?.(object) === true) {
      this.#writer.u8(Amf0Marker.Undefined);
      return;
    }
    if (isPromise(object)) throw this.#state.error('a Promise; await it first');
    this.#properties(object, this.#className(object), keysOf(object));
  }

  #className(object: object): string {
    return this.#state.options.classNameOf?.(object) ?? '';
  }

  #properties(object: object, className: string, keys: readonly string[]): void {
    if (this.#repeats(object)) return;
    if (className === '') {
      this.#writer.u8(Amf0Marker.Object);
    } else {
      this.#writer.u8(Amf0Marker.TypedObject);
      if (!this.#writer.utf8Short(className)) throw this.#state.error('a class name over 65535 bytes');
    }
    this.#pairs(object as Record<string, unknown>, keys);
  }

  #associative(object: object, keys: readonly string[]): void {
    if (this.#repeats(object)) return;
    const writer = this.#writer;
    writer.u8(Amf0Marker.EcmaArray);
    const countAt = writer.length;
    writer.u32(0);
    const count = this.#pairs(object as Record<string, unknown>, keys);
    writer.setU32(countAt, count);
  }

  /** Keys, values and the end marker. Returns how many pairs: methods are skipped, as Flash does. */
  #pairs(object: Record<string, unknown>, keys: readonly string[]): number {
    const writer = this.#writer;
    const state = this.#state;
    state.enter();
    const { path, depth } = state;
    let count = 0;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const value = object[key];
      if (typeof value === 'function') continue;
      path[depth - 1] = key;
      if (!writer.utf8Short(key)) throw state.error('a property name over 65535 bytes');
      this.value(value);
      count++;
    }
    state.depth--;
    writer.u24(Amf0Marker.ObjectEnd);
    return count;
  }

  #list(owner: object, items: readonly unknown[]): void {
    const keys = associativeKeys(items);
    if (keys !== undefined) {
      this.#associative(owner, keys);
      return;
    }
    if (this.#repeats(owner)) return;

    const count = items.length >>> 0; // A proxy may give any length.
    this.#writer.u8(Amf0Marker.StrictArray);
    this.#writer.u32(count);
    const state = this.#state;
    state.enter();
    for (let i = 0; i < count; i++) {
      state.path[state.depth - 1] = i;
      this.value(items[i]);
    }
    state.depth--;
  }

  /**
   * Writes a reference when the object was written before, and says so. An index past 65535 cannot be written:
   * the object is repeated, which ends at the depth limit if it contains itself.
   */
  #repeats(object: object): boolean {
    const known = this.#complex.find(object);
    if (known < 0 || known > MAX_U16) return false;
    this.#writer.u8(Amf0Marker.Reference);
    this.#writer.u16(known);
    return true;
  }
}
