import { natives, setPrototypeOf } from '../shared.ts';

export type Primitive = string | number | boolean | null;

/** Takes primitives, one after the other. */
export interface Sink {
  /** How many it has, or where it is. */
  readonly length: number;
  put(value: Primitive): void;
  /** Leaves a place for what is not known yet, such as a count: where that is. */
  leave(): number;
  putAt(at: number, value: Primitive): void;
}

/** A list of primitives that nothing of the script's can see being written. */
export class Out implements Sink {
  readonly #list = withoutPrototype([]);
  #length = 0;
  #taken = 0;
  #textLength = 0;

  get length(): number {
    return this.#length;
  }

  /** Of all texts that have come since `take`: they may be far too long to make JSON of. */
  get textLength(): number {
    return this.#textLength;
  }

  at(index: number): Primitive | undefined {
    return this.#list[index];
  }

  put(value: Primitive): void {
    this.#list[this.#length++] = value;
    if (typeof value === 'string') this.#textLength += value.length;
  }

  leave(): number {
    this.#list[this.#length] = 0;
    return this.#length++;
  }

  putAt(at: number, value: Primitive): void {
    this.#list[at] = value;
  }

  /** What has come since the last time, as JSON. */
  take(): string {
    const list = this.#taken === 0 ? this.#list : this.#rest();
    this.#taken = this.#length;
    this.#textLength = 0;
    return natives.toJson(list)!;
  }

  #rest(): Primitive[] {
    const rest: Primitive[] = withoutPrototype([]);
    for (let i = this.#taken; i < this.#length; i++) rest[i - this.#taken] = this.#list[i]!;
    return rest;
  }
}

/** Compares what it is given with what a list has from some place on. */
export class Comparison implements Sink {
  readonly #list: Out;
  #at = 0;
  isSame = true;

  constructor(list: Out) {
    this.#list = list;
  }

  get length(): number {
    return this.#at;
  }

  begin(at: number): void {
    this.#at = at;
    this.isSame = true;
  }

  put(value: Primitive): void {
    if (this.#list.at(this.#at++) !== value) this.isSame = false;
  }

  leave(): number {
    return this.#at++;
  }

  putAt(at: number, value: Primitive): void {
    if (this.#list.at(at) !== value) this.isSame = false;
  }
}

function withoutPrototype(list: Primitive[]): Primitive[] {
  setPrototypeOf(list, null);
  return list;
}
