import { natives, setPrototypeOf } from '../shared.ts';

export type Primitive = string | number | boolean | null;

/** A list of primitives that nothing of the script's can see being written. */
export class Out {
  readonly #list = setPrototypeOfList([]);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  put(value: Primitive): void {
    this.#list[this.#length++] = value;
  }

  /** Overwrites what was put there before, such as a count that was not known yet. */
  putAt(at: number, value: Primitive): void {
    this.#list[at] = value;
  }

  get json(): string {
    return natives.toJson(this.#list)!;
  }
}

function setPrototypeOfList(list: Primitive[]): Primitive[] {
  setPrototypeOf(list, null);
  return list;
}
