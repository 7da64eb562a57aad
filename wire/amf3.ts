import {
  AmfBudget,
  AmfEncodeState,
  amfError,
  associativeKeys,
  bytesOf,
  copyOf,
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
import * as Amf3Marker from './amf3-marker.ts';
import { ByteReader, type ByteWriter } from './bytes.ts';
import {
  append,
  Doubles,
  forEachEntry,
  Ints,
  isSame,
  keysOf,
  lengthOf,
  NativeDate,
  NativeMap,
  objectPrototype,
  SafeMap,
  setEntry,
  sliceOf,
  timeOf,
  toText,
  Uints,
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
  ObjectVector,
  setProperty,
  TypedObject,
  vectorTypeOf,
  Xml,
  XmlDocument,
} from './values.ts';

/** Flex wrappers: externalizable classes whose own bytes are exactly one AMF3 value, the one they stand for. */
export const flexWrappers: readonly string[] = [
  'flex.messaging.io.ArrayCollection',
  'flex.messaging.io.ArrayList',
  'flex.messaging.io.ObjectProxy',
  'flex.messaging.io.SerializationProxy',
];

function isFlexWrapper(className: string): boolean {
  for (let i = 0; i < flexWrappers.length; i++) if (flexWrappers[i] === className) return true;
  return false;
}

/** Variable-length 29-bit integer (AMF3, section 1.3.1): seven bits a byte, all eight of the fourth. */
export function readU29(reader: ByteReader): number {
  let byte = reader.u8();
  if (byte < 0x80) return byte;
  let value = byte & 0x7f;
  byte = reader.u8();
  if (byte < 0x80) return (value << 7) | byte;
  value = (value << 7) | (byte & 0x7f);
  byte = reader.u8();
  if (byte < 0x80) return (value << 7) | byte;
  value = (value << 7) | (byte & 0x7f);
  return (value << 8) | reader.u8();
}

/** `value` is taken modulo 2^29. */
export function writeU29(writer: ByteWriter, value: number): void {
  const bits = value & 0x1fffffff;
  if (bits < 0x80) {
    writer.u8(bits);
  } else if (bits < 0x4000) {
    writer.u8(0x80 | (bits >> 7));
    writer.u8(bits & 0x7f);
  } else if (bits < 0x200000) {
    writer.u8(0x80 | (bits >> 14));
    writer.u8(0x80 | (bits >> 7));
    writer.u8(bits & 0x7f);
  } else {
    writer.u8(0x80 | (bits >> 22));
    writer.u8(0x80 | (bits >> 15));
    writer.u8(0x80 | (bits >> 8));
    writer.u8(bits);
  }
}

interface Traits {
  readonly className: string;
  /** Sealed members, in the order their values come. */
  readonly names: readonly string[];
  readonly isDynamic: boolean;
  readonly isWrapper: boolean;
}

/** Holds the place of a Flex wrapper in the object table while the value it stands for is read. */
const unfinished: unique symbol = Symbol('unfinished');

/** Decodes AMF3 values of one message: its tables of strings, objects and traits live as long as it does. */
export class Amf3Decoder {
  readonly #reader: ByteReader;
  readonly #options: AmfDecodeOptions;
  readonly #budget: AmfBudget;
  readonly #strings: string[] = [];
  readonly #objects: (AmfValue | typeof unfinished)[] = [];
  readonly #traits: Traits[] = [];

  /** `budget`: that of the AMF0 message around, if there is one. */
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
      case Amf3Marker.Undefined:
        return undefined;
      case Amf3Marker.Null:
        return null;
      case Amf3Marker.False:
        return false;
      case Amf3Marker.True:
        return true;
      case Amf3Marker.Integer:
        return (readU29(reader) << 3) >> 3; // Bit 28 is the sign.
      case Amf3Marker.Double:
        return reader.f64();
      case Amf3Marker.String:
        return this.#string();
      case Amf3Marker.Array:
        return this.#array();
      case Amf3Marker.Object:
        return this.#object();
      case Amf3Marker.VectorObject:
        return this.#objectVector();
      case Amf3Marker.Dictionary:
        return this.#dictionary();
      case Amf3Marker.XmlDocument:
      case Amf3Marker.Date:
      case Amf3Marker.Xml:
      case Amf3Marker.ByteArray:
      case Amf3Marker.VectorInt:
      case Amf3Marker.VectorUint:
      case Amf3Marker.VectorDouble:
        return this.#leaf(marker);
      default:
        throw markerError(3, marker, reader.position - 1);
    }
  }

  /** Objects that hold no other values. */
  #leaf(marker: number): AmfValue {
    const reader = this.#reader;
    const header = readU29(reader);
    if ((header & 1) === 0) return this.#referred(header >> 1);

    const value = readLeaf(reader, marker, header >> 1);
    append(this.#objects, value);
    return value;
  }

  #array(): AmfValue {
    const reader = this.#reader;
    const header = readU29(reader);
    if ((header & 1) === 0) return this.#referred(header >> 1);
    const count = header >> 1;
    this.#checkCount(count, count);
    this.#enter();

    let key = this.#string();
    if (key === '') {
      const list: AmfValue[] = [];
      append(this.#objects, list);
      for (let i = 0; i < count; i++) append(list, this.value());
      this.#budget.depth--;
      return list;
    }

    const array = new EcmaArray();
    append(this.#objects, array);
    for (; key !== ''; key = this.#string()) setProperty(array, key, this.value());
    for (let i = 0; i < count; i++) setProperty(array, i, this.value());
    this.#budget.depth--;
    return array;
  }

  #object(): AmfValue {
    const reader = this.#reader;
    const header = readU29(reader);
    if ((header & 1) === 0) return this.#referred(header >> 1);
    this.#enter();
    const traits = (header & 2) === 0 ? this.#knownTraits(header >> 2) : this.#newTraits(header);
    if (traits.isWrapper) return this.#wrapped();

    const { className, names } = traits;
    const { classes } = this.#options;
    const instance = className === '' ? undefined : classes?.create(className);
    const object = (instance ?? (className === '' ? {} : new TypedObject(className))) as AmfObject;
    const inherited = className === '' ? objectPrototype : object;
    append(this.#objects, object);
    for (let i = 0; i < names.length; i++) setProperty(object, names[i]!, this.value(), inherited);
    if (traits.isDynamic && !this.#isTolerableEnd()) {
      for (let key = this.#string(); key !== ''; key = this.#string()) {
        setProperty(object, key, this.value(), inherited);
        if (this.#isTolerableEnd()) break;
      }
    }
    this.#budget.depth--;
    if (instance !== undefined) classes?.complete?.(instance);
    return object;
  }

  /** The value inside becomes the wrapper's entry of the object table. */
  #wrapped(): AmfValue {
    const index = this.#objects.length;
    append(this.#objects, unfinished);
    const value = this.value();
    this.#objects[index] = value;
    this.#budget.depth--;
    return value;
  }

  #knownTraits(index: number): Traits {
    const known = this.#traits.length;
    if (index >= known) throw referenceError(index, known, this.#reader.position);
    return this.#traits[index]!;
  }

  #newTraits(header: number): Traits {
    const isWrapper = (header & 4) !== 0;
    const isDynamic = (header & 8) !== 0 && !isWrapper;
    const className = this.#string();
    const names: string[] = [];
    if (isWrapper) {
      if (!isFlexWrapper(className)) {
        // The bytes of an unknown class have no known end.
        throw amfError(`externalizable class '${sliceOf(className, 0, 64)}'`, this.#reader.position);
      }
    } else {
      const count = header >> 4;
      this.#checkCount(count, count);
      for (let i = 0; i < count; i++) append(names, this.#string());
    }
    const traits = { className, names, isDynamic, isWrapper };
    append(this.#traits, traits);
    return traits;
  }

  #objectVector(): AmfValue {
    const reader = this.#reader;
    const header = readU29(reader);
    if ((header & 1) === 0) return this.#referred(header >> 1);
    const count = header >> 1;
    this.#checkCount(count, count);
    this.#enter();
    reader.skip(1); // Whether its length is fixed.
    const vector = new ObjectVector(this.#string());
    append(this.#objects, vector);
    for (let i = 0; i < count; i++) append(vector, this.value());
    this.#budget.depth--;
    return vector;
  }

  #dictionary(): AmfValue {
    const reader = this.#reader;
    const header = readU29(reader);
    if ((header & 1) === 0) return this.#referred(header >> 1);
    const count = header >> 1;
    this.#checkCount(count, count * 2);
    this.#enter();
    reader.skip(1); // Whether its keys are weak.
    const dictionary = new NativeMap<AmfValue, AmfValue>();
    append(this.#objects, dictionary);
    for (let i = 0; i < count; i++) {
      const key = this.value();
      setEntry(dictionary, key, this.value());
    }
    this.#budget.depth--;
    return dictionary;
  }

  /** Keys, class names and values share one table; the empty string never enters it. */
  #string(): string {
    const reader = this.#reader;
    const header = readU29(reader);
    if ((header & 1) === 0) {
      const index = header >> 1;
      const known = this.#strings.length;
      if (index >= known) throw referenceError(index, known, reader.position);
      return this.#strings[index]!;
    }
    if (header === 1) return '';
    const text = reader.name(header >> 1);
    append(this.#strings, text);
    return text;
  }

  #referred(index: number): AmfValue {
    const objects = this.#objects;
    if (index >= objects.length) throw referenceError(index, objects.length, this.#reader.position);
    // A wrapper that is referred to from inside itself: what it stands for has the next entry.
    let at = index;
    let value = objects[at];
    while (value === unfinished) value = objects[++at];
    return value;
  }

  /** Each value, key or name takes a byte at least: a count that lies is found before memory is taken. */
  #checkCount(count: number, leastBytes: number): void {
    const { remaining, position } = this.#reader;
    if (leastBytes > remaining) throw countError(count, remaining, position);
  }

  #enter(): void {
    const budget = this.#budget;
    if (++budget.depth > budget.limits.depth) throw depthError(budget.limits, this.#reader.position);
  }

  #isTolerableEnd(): boolean {
    const reader = this.#reader;
    return reader.position === reader.end && this.#budget.depth === 1 && this.#options.lenientEnd === true;
  }
}

function readLeaf(reader: ByteReader, marker: number, size: number): AmfValue {
  switch (marker) {
    case Amf3Marker.XmlDocument:
      return new XmlDocument(reader.utf8(size));
    case Amf3Marker.Xml:
      return new Xml(reader.utf8(size));
    case Amf3Marker.Date:
      return new NativeDate(reader.f64());
    case Amf3Marker.ByteArray:
      return copyOf(reader.take(size), size);
    default:
      return readNumberVector(reader, marker, size);
  }
}

function readNumberVector(reader: ByteReader, marker: number, count: number): AmfValue {
  reader.skip(1); // Whether its length is fixed.
  // Taken as a whole: a count that lies is found before memory is taken for it.
  const numbers = new ByteReader(reader.take(count * (marker === Amf3Marker.VectorDouble ? 8 : 4)));
  if (marker === Amf3Marker.VectorInt) {
    const items = new Ints(count);
    for (let i = 0; i < count; i++) items[i] = numbers.u32();
    return items;
  }
  if (marker === Amf3Marker.VectorUint) {
    const items = new Uints(count);
    for (let i = 0; i < count; i++) items[i] = numbers.u32();
    return items;
  }
  const items = new Doubles(count);
  for (let i = 0; i < count; i++) items[i] = numbers.f64();
  return items;
}

const LARGEST_SIZE = 0x0fffffff;
const NEW_DYNAMIC_TRAITS = 0x0b;

/**
 * Encodes AMF3 values of one message. When `value` throws, what it wrote is incomplete: truncate the writer and
 * `reset`.
 */
export class Amf3Encoder {
  readonly #writer: ByteWriter;
  readonly #state: AmfEncodeState;
  readonly #strings = new SafeMap<string, number>();
  readonly #objects = new ObjectTable();
  /** By class name: all traits written are dynamic and without sealed members. */
  readonly #traits = new SafeMap<string, number>();

  /** `state`: that of the AMF0 message around, if there is one. */
  constructor(
    writer: ByteWriter,
    options: AmfEncodeOptions = NO_OPTIONS,
    state = new AmfEncodeState(options),
  ) {
    this.#writer = writer;
    this.#state = state;
  }

  /** Begins the next message. */
  reset(): void {
    this.#state.reset();
    this.#strings.clear();
    this.#objects.clear();
    this.#traits.clear();
  }

  value(value: unknown): void {
    const writer = this.#writer;
    this.#state.countValue();
    switch (typeof value) {
      case 'string':
        writer.u8(Amf3Marker.String);
        this.#string(value);
        return;
      case 'number':
        this.#number(value);
        return;
      case 'boolean':
        writer.u8(value ? Amf3Marker.True : Amf3Marker.False);
        return;
      case 'object':
        if (value === null) writer.u8(Amf3Marker.Null);
        else this.#object(value);
        return;
      case 'undefined':
      case 'function':
        writer.u8(Amf3Marker.Undefined);
        return;
      default:
        throw this.#state.error(`a ${typeof value}`);
    }
  }

  #number(value: number): void {
    const writer = this.#writer;
    if ((value << 3) >> 3 === value && !isSame(value, -0)) {
      writer.u8(Amf3Marker.Integer);
      writeU29(writer, value);
    } else {
      writer.u8(Amf3Marker.Double);
      writer.f64(value);
    }
  }

  #object(object: object): void {
    const shape = shapeOf(object);
    switch (shape) {
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
      case Shape.Vector:
        this.#objectVector(object as ObjectVector);
        return;
      case Shape.Dictionary:
        this.#dictionary(object as Map<unknown, unknown>);
        return;
      case Shape.Boxed:
        this.value(unboxed(object));
        return;
      case Shape.Instance:
        this.#instance(object);
        return;
      default:
        this.#leaf(object, shape);
        return;
    }
  }

  #instance(object: object): void {
    const { options } = this.#state;
    if (options.isOpaque?.(object) === true) {
      this.#writer.u8(Amf3Marker.Undefined);
      return;
    }
    if (isPromise(object)) throw this.#state.error('a Promise; await it first');
    this.#properties(object, this.#className(object), keysOf(object));
  }

  #className(object: object): string {
    return this.#state.options.classNameOf?.(object) ?? '';
  }

  #properties(object: object, className: string, keys: readonly string[]): void {
    const writer = this.#writer;
    if (this.#begin(Amf3Marker.Object, object)) return;
    const traits = this.#traits.get(className);
    if (traits === undefined) {
      this.#traits.set(className, this.#traits.size);
      writer.u8(NEW_DYNAMIC_TRAITS);
      this.#string(className);
    } else {
      writeU29(writer, (traits << 2) | 1);
    }
    this.#state.enter();
    this.#pairs(object as Record<string, unknown>, keys, 0);
    this.#state.depth--;
  }

  /** Keys and values from `first` on, and their end. The empty key would be the end: it cannot be sent. */
  #pairs(object: Record<string, unknown>, keys: readonly string[], first: number): void {
    const { path, depth } = this.#state;
    for (let i = first; i < keys.length; i++) {
      const key = keys[i]!;
      const value = object[key];
      if (key === '' || typeof value === 'function') continue;
      path[depth - 1] = key;
      this.#string(key);
      this.value(value);
    }
    this.#string('');
  }

  #list(owner: object, items: readonly unknown[]): void {
    const keys = associativeKeys(items);
    if (keys !== undefined) {
      this.#associative(owner, keys);
      return;
    }

    const count = items.length >>> 0; // A proxy may give any length.
    if (this.#begin(Amf3Marker.Array, owner)) return;
    this.#size(count);
    this.#string('');
    this.#items(items, count);
  }

  /** Keys 0, 1, 2… go into the dense part, which follows the others. */
  #associative(object: object, keys: readonly string[]): void {
    if (this.#begin(Amf3Marker.Array, object)) return;
    let dense = 0;
    while (dense < keys.length && keys[dense] === `${dense}`) dense++;
    this.#size(dense);
    this.#state.enter();
    this.#pairs(object as Record<string, unknown>, keys, dense);
    this.#state.depth--;
    this.#items(object as Record<number, unknown>, dense);
  }

  #objectVector(vector: ObjectVector): void {
    const count = vector.length >>> 0;
    if (this.#begin(Amf3Marker.VectorObject, vector)) return;
    this.#size(count);
    this.#writer.u8(0);
    this.#string(vectorTypeOf(vector) ?? '');
    this.#items(vector, count);
  }

  #items(items: Readonly<Record<number, unknown>>, count: number): void {
    const state = this.#state;
    state.enter();
    for (let i = 0; i < count; i++) {
      state.path[state.depth - 1] = i;
      this.value(items[i]);
    }
    state.depth--;
  }

  #dictionary(map: Map<unknown, unknown>): void {
    if (this.#begin(Amf3Marker.Dictionary, map)) return;
    // Keys and values in turn, read before anything of theirs is: that may run code of the application.
    const entries: unknown[] = [];
    forEachEntry(map, (value, key) => {
      append(entries, key);
      append(entries, value);
    });
    this.#size(entries.length / 2);
    this.#writer.u8(0);
    this.#state.enter();
    for (let i = 0; i < entries.length; i++) this.value(entries[i]);
    this.#state.depth--;
  }

  #leaf(object: object, shape: Shape): void {
    switch (shape) {
      case Shape.Date:
        if (this.#begin(Amf3Marker.Date, object)) return;
        this.#size(0);
        this.#writer.f64(timeOf(object as Date));
        return;
      case Shape.XmlDocument:
        if (this.#begin(Amf3Marker.XmlDocument, object)) return;
        this.#text(toText((object as XmlDocument).text));
        return;
      case Shape.Xml:
        if (this.#begin(Amf3Marker.Xml, object)) return;
        this.#text(toText((object as Xml).text));
        return;
      case Shape.Ints:
        this.#numberVector(Amf3Marker.VectorInt, object as Int32Array);
        return;
      case Shape.Uints:
        this.#numberVector(Amf3Marker.VectorUint, object as Uint32Array);
        return;
      case Shape.Doubles:
        this.#numberVector(Amf3Marker.VectorDouble, object as Float64Array);
        return;
      default: {
        if (this.#begin(Amf3Marker.ByteArray, object)) return;
        const bytes = bytesOf(object);
        this.#size(lengthOf(bytes));
        this.#writer.bytes(bytes);
      }
    }
  }

  #numberVector(marker: number, items: Int32Array | Uint32Array | Float64Array): void {
    if (this.#begin(marker, items)) return;
    const writer = this.#writer;
    const count = lengthOf(items);
    this.#size(count);
    writer.u8(0);
    if (marker === Amf3Marker.VectorDouble) for (let i = 0; i < count; i++) writer.f64(items[i]!);
    else for (let i = 0; i < count; i++) writer.u32(items[i]!);
  }

  /** Writes the marker, and the reference when the object was written before: then it is done, and says so. */
  #begin(marker: number, object: object): boolean {
    this.#writer.u8(marker);
    const known = this.#objects.find(object);
    if (known < 0) return false;
    writeU29(this.#writer, known << 1);
    return true;
  }

  #string(text: string): void {
    if (text === '') {
      this.#writer.u8(1);
      return;
    }
    const known = this.#strings.get(text);
    if (known !== undefined) {
      writeU29(this.#writer, known << 1);
      return;
    }
    this.#strings.set(text, this.#strings.size);
    this.#text(text);
  }

  #text(text: string): void {
    const writer = this.#writer;
    if (text.length < 0x40) {
      writer.u8((text.length << 1) | 1);
      if (writer.ascii(text)) return;
      writer.truncate(writer.length - 1);
    }
    this.#size(utf8Length(text));
    writer.utf8(text);
  }

  /** The header of something that is not a reference. */
  #size(size: number): void {
    if (size > LARGEST_SIZE) throw this.#state.error(`${size} bytes or items in one value`);
    writeU29(this.#writer, (size << 1) | 1);
  }
}
