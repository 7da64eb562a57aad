/** Which slots of a shared object go when a client leaves. */
export class Presence {
  readonly #clientOf = new Map<string, number>();
  readonly #slotsOf = new Map<number, Set<string>>();

  get isEmpty(): boolean {
    return this.#clientOf.size === 0;
  }

  has(name: string): boolean {
    return this.#clientOf.has(name);
  }

  /** All that go with some client. */
  get names(): readonly string[] {
    return [...this.#clientOf.keys()];
  }

  /** The slots that go with that client. */
  of(client: number): readonly string[] {
    return [...(this.#slotsOf.get(client) ?? [])];
  }

  bind(name: string, client: number): void {
    this.release(name);
    this.#clientOf.set(name, client);
    const slots = this.#slotsOf.get(client) ?? new Set();
    this.#slotsOf.set(client, slots.add(name));
  }

  /** It is a slot like others, or is gone. */
  release(name: string): void {
    const client = this.#clientOf.get(name);
    if (client === undefined) return;
    this.#clientOf.delete(name);
    const slots = this.#slotsOf.get(client);
    slots?.delete(name);
    if (slots?.size === 0) this.#slotsOf.delete(client);
  }

  clear(): void {
    this.#clientOf.clear();
    this.#slotsOf.clear();
  }
}
