import { define, keysOf } from './primordials.ts';

/**
 * Everything AMF can carry, as scripts see it. AMF0 references and AMF3 object references become the same object,
 * so the graph may be cyclic. `undefined` (06, unsupported 0d) and `null` (05) stay distinct.
 */
export type AmfValue =
  | undefined
  | null
  | boolean
  | number
  | string
  | Date
  | Xml
  | XmlDocument
  | Uint8Array
  | Int32Array
  | Uint32Array
  | Float64Array
  | Map<AmfValue, AmfValue>
  | AmfValue[]
  | AmfObject;

/** An anonymous object, a `TypedObject` or an `EcmaArray`: properties are own, enumerable data properties. */
export interface AmfObject {
  [key: string]: AmfValue;
}

/**
 * An object of a named ActionScript class nobody registered (AMF0 0x10, AMF3 traits with a name). Its properties
 * are its own; the name is beside them, where no property can collide with it: ask `classNameOf`.
 */
export class TypedObject implements AmfObject {
  [key: string]: AmfValue;
  readonly #className: string;

  constructor(className: string, properties?: AmfObject) {
    this.#className = className;
    if (properties !== undefined) setProperties(this, properties);
  }

  static nameOf(value: object): string | undefined {
    return #className in value ? value.#className : undefined;
  }
}

/** The ActionScript class of a decoded typed object, `undefined` for everything else. */
export const classNameOf: (value: object) => string | undefined = TypedObject.nameOf;

/**
 * An associative ActionScript array (AMF0 0x08, AMF3 arrays with names): an object in every other respect.
 * One whose keys are exactly 0, 1, 2… decodes to a plain Array instead. Stream metadata has to be one.
 */
export class EcmaArray implements AmfObject {
  [key: string]: AmfValue;

  constructor(properties?: AmfObject) {
    if (properties !== undefined) setProperties(this, properties);
  }
}

/** `flash.xml.XMLDocument`, the ActionScript 1 and 2 `XML` (AMF0 0x0f, AMF3 0x07): its source text. */
export class XmlDocument {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** The ActionScript 3 `XML` type, E4X (AMF3 0x0b): its source text. */
export class Xml {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** `Vector.<T>` of objects (AMF3 0x10): an Array that remembers T; what `map` and friends return is an Array. */
export class ObjectVector extends Array<AmfValue> {
  readonly #typeName: string;

  constructor(typeName = '') {
    super();
    this.#typeName = typeName;
  }

  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** The class name of the items, empty for `Vector.<*>`. */
  get typeName(): string {
    return this.#typeName;
  }

  /** The same whatever became of the getter; `undefined` for everything else. */
  static typeNameOf(value: object): string | undefined {
    return #typeName in value ? value.#typeName : undefined;
  }
}

/** The class name of the items of a decoded vector, `undefined` for everything that is none. */
export const vectorTypeOf: (value: object) => string | undefined = ObjectVector.typeNameOf;

// An application gets hold of these classes as constructors of what it is sent: what `new` and `instanceof` make of
// them must not be its choice. Their prototypes are its to extend.
for (const type of [TypedObject, EcmaArray, XmlDocument, Xml, ObjectVector]) Object.freeze(type);

/** Bounds of one message. A container is anything that holds values; every value counts, nested or not. */
export interface AmfLimits {
  /** How many containers may be open inside each other. Default 64. */
  readonly depth: number;
  /** How many values one message may hold. Default 65536. */
  readonly values: number;
}

export const AMF_LIMITS: AmfLimits = { depth: 64, values: 65536 };

/** How typed objects that arrive become instances of the application's classes. */
export interface AmfClasses {
  /** A fresh instance of the class registered under this name, or `undefined` to leave a `TypedObject`. */
  create(className: string): object | undefined;
  /** Called when every property of an instance is set, in the order the objects end. */
  complete?(instance: object): void;
}

export interface AmfDecodeOptions {
  /**
   * Accept a top-level object whose end marker is missing because the message ends there, as some encoders'
   * data messages do. Default false.
   */
  readonly lenientEnd?: boolean;
  readonly classes?: AmfClasses;
}

export interface AmfEncodeOptions {
  /** The registered class name of an instance. Not asked about plain objects, arrays, dates and the like. */
  classNameOf?(instance: object): string | undefined;
  /** Whether an instance belongs to the server and must not leave it: it is written as undefined. */
  isOpaque?(instance: object): boolean;
  readonly limits?: AmfLimits;
}

/** Inherits none that were put on `Object.prototype`. */
export const NO_OPTIONS: AmfDecodeOptions & AmfEncodeOptions = Object.create(null) as object;

/**
 * Sets a property whose name came from outside: always an own property, whatever setters (`__proto__` is one) or
 * constants the prototypes have. For an object literal its prototype is all that can be in the way (`inherited`), and
 * quicker to ask than the literal, which changes its shape with every key.
 */
export function setProperty(
  target: AmfObject,
  key: string | number,
  value: AmfValue,
  inherited: object = target,
): void {
  if (key in inherited) define(target, key, value);
  else target[key] = value;
}

function setProperties(target: AmfObject, properties: AmfObject): void {
  const keys = keysOf(properties);
  for (let i = 0; i < keys.length; i++) setProperty(target, keys[i]!, properties[keys[i]!]);
}
