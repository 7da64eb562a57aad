import {
  type AmfObject,
  type AmfValue,
  classNameOf,
  EcmaArray,
  ObjectVector,
  setProperty,
  TypedObject,
  Xml,
  XmlDocument,
} from '../../wire/values.ts';
import { fromHex } from './vectors.ts';

type Pairs = readonly (readonly [string, Tagged])[];
type TaggedNumber = number | 'NaN' | 'Infinity' | '-Infinity' | '-0';

/** A value as the vector files write it. */
export type Tagged =
  | { t: 'undefined' | 'null' | 'unsupported' }
  | { t: 'boolean'; v: boolean }
  | { t: 'number' | 'integer'; v: TaggedNumber }
  | { t: 'string' | 'longString' | 'xml' | 'xmlDocument'; v: string }
  | { t: 'longString'; repeat: string; times: number }
  | { t: 'date'; ms: TaggedNumber }
  | { t: 'object'; v: Pairs }
  | { t: 'object'; class: string; sealed: Pairs; dyn: Pairs }
  | { t: 'ecmaArray'; count: number; v: Pairs }
  | { t: 'typedObject'; class: string; v: Pairs }
  | { t: 'strictArray'; v: readonly Tagged[] }
  | { t: 'array'; assoc: Pairs; v: readonly Tagged[] }
  | { t: 'byteArray'; hex: string }
  | { t: 'vectorInt' | 'vectorUint' | 'vectorDouble'; v: readonly TaggedNumber[] }
  | { t: 'vectorObject'; class: string; v: readonly Tagged[] }
  | { t: 'externalizable'; class: string; v: Tagged; opaque?: boolean }
  | { t: 'reference'; v: number }
  | { t: 'avmplus'; v: Tagged };

/** What a decoder should make of the tagged values of a message. */
export function valuesOf(tagged: readonly Tagged[], version: 0 | 3): AmfValue[] {
  const builder = new ValueBuilder();
  return tagged.map((value) => (version === 0 ? builder.amf0(value) : builder.amf3(value)));
}

/** Tables as in the wire format: the index of a reference is the order in which objects began. */
class ValueBuilder {
  readonly #complex: AmfValue[] = [];
  readonly #objects: AmfValue[] = [];

  amf0(tagged: Tagged): AmfValue {
    switch (tagged.t) {
      case 'object': {
        if (!('v' in tagged)) throw new Error('an AMF3 object outside avmplus');
        return this.#filled(this.#entered(this.#complex, {}), tagged.v, 0);
      }
      case 'typedObject':
        return this.#filled(this.#entered(this.#complex, new TypedObject(tagged.class)), tagged.v, 0);
      case 'ecmaArray': {
        const isList = tagged.v.every(([key], index) => key === String(index));
        const array: AmfValue = this.#entered(this.#complex, isList ? [] : new EcmaArray());
        return this.#filled(array as AmfObject, tagged.v, 0);
      }
      case 'strictArray': {
        const list: AmfValue[] = this.#entered(this.#complex, []);
        for (const item of tagged.v) list.push(this.amf0(item));
        return list;
      }
      case 'reference':
        return this.#complex[tagged.v];
      case 'avmplus':
        return this.amf3(tagged.v);
      case 'xml':
        return new XmlDocument(tagged.v);
      default:
        return leaf(tagged);
    }
  }

  amf3(tagged: Tagged): AmfValue {
    switch (tagged.t) {
      case 'object': {
        if ('v' in tagged) throw new Error('an AMF0 object inside avmplus');
        const object = this.#entered(this.#objects, tagged.class === '' ? {} : new TypedObject(tagged.class));
        this.#filled(object, tagged.sealed, 3);
        return this.#filled(object, tagged.dyn, 3);
      }
      case 'array': {
        if (tagged.assoc.length > 0) {
          const array = this.#filled(this.#entered(this.#objects, new EcmaArray()), tagged.assoc, 3);
          for (const [index, item] of tagged.v.entries()) array[index] = this.amf3(item);
          return array;
        }
        const list: AmfValue[] = this.#entered(this.#objects, []);
        for (const item of tagged.v) list.push(this.amf3(item));
        return list;
      }
      case 'vectorObject': {
        const vector = this.#entered(this.#objects, new ObjectVector(tagged.class));
        for (const item of tagged.v) vector.push(this.amf3(item));
        return vector;
      }
      case 'externalizable': {
        const index = this.#objects.push(undefined) - 1;
        this.#objects[index] = this.amf3(tagged.v);
        return this.#objects[index];
      }
      case 'reference':
        return this.#objects[tagged.v];
      case 'xml':
        return this.#entered(this.#objects, new Xml(tagged.v));
      case 'xmlDocument':
      case 'date':
      case 'byteArray':
      case 'vectorInt':
      case 'vectorUint':
      case 'vectorDouble':
        return this.#entered(this.#objects, leaf(tagged));
      default:
        return leaf(tagged);
    }
  }

  #entered<T extends AmfValue>(table: AmfValue[], value: T): T {
    table.push(value);
    return value;
  }

  #filled(object: AmfObject, pairs: Pairs, version: 0 | 3): AmfObject {
    for (const [key, value] of pairs) {
      setProperty(object, key, version === 0 ? this.amf0(value) : this.amf3(value));
    }
    return object;
  }
}

function leaf(tagged: Tagged): AmfValue {
  switch (tagged.t) {
    case 'undefined':
    case 'unsupported':
      return undefined;
    case 'null':
      return null;
    case 'boolean':
    case 'string':
      return tagged.v;
    case 'number':
    case 'integer':
      return Number(tagged.v);
    case 'longString':
      return 'repeat' in tagged ? tagged.repeat.repeat(tagged.times) : tagged.v;
    case 'xmlDocument':
      return new XmlDocument(tagged.v);
    case 'date':
      return new Date(Number(tagged.ms));
    case 'byteArray':
      return fromHex(tagged.hex);
    case 'vectorInt':
      return Int32Array.from(tagged.v, Number);
    case 'vectorUint':
      return Uint32Array.from(tagged.v, Number);
    case 'vectorDouble':
      return Float64Array.from(tagged.v, Number);
    default:
      throw new Error(`no value for ${tagged.t}`);
  }
}

/**
 * A text that is equal for equal values: it tells −0 from 0, undefined from null, classes, who is whom in a cyclic
 * graph, and ignores the order of keys. `isAmf3`: without empty keys, which AMF3 cannot write.
 */
export function portrait(value: unknown, isAmf3 = false): string {
  return draw(value, new Map(), isAmf3);
}

function draw(value: unknown, seen: Map<object, number>, isAmf3: boolean): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value !== 'object' || value === null) return String(value);
  // AMF0 does not share these.
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof Xml) return `Xml(${JSON.stringify(value.text)})`;
  if (value instanceof XmlDocument) return `XmlDocument(${JSON.stringify(value.text)})`;

  const known = seen.get(value);
  if (known !== undefined) return `#${known}`;
  seen.set(value, seen.size);
  const of = (item: unknown): string => draw(item, seen, isAmf3);
  if (ArrayBuffer.isView(value)) {
    const items = Array.from(value as Uint8Array, of);
    return `${value.constructor.name}[${items.join()}]`;
  }
  if (value instanceof Map)
    return `Map{${[...value].map(([key, item]) => `${of(key)}=>${of(item)}`).join()}}`;

  let keys = Object.keys(value).sort();
  if (isAmf3) keys = keys.filter((key) => key !== '');
  const object = value as Record<string, unknown>;
  const isList = value instanceof EcmaArray && keys.every((_, index) => Object.hasOwn(value, index));
  if (isList || Array.isArray(value)) {
    const name = value instanceof ObjectVector ? `Vector<${value.typeName}>` : '';
    return `${name}[${Array.from({ length: Array.isArray(value) ? value.length : keys.length }, (_, i) => of(object[i])).join()}]`;
  }
  const name = value instanceof EcmaArray ? 'EcmaArray' : (classNameOf(value) ?? '');
  return `${name}{${keys.map((key) => `${JSON.stringify(key)}:${of(object[key])}`).join()}}`;
}
