import { encodeAmf0 } from '../../wire/amf0.ts';
import { flexWrappers, writeU29 } from '../../wire/amf3.ts';
import { ByteWriter } from '../../wire/bytes.ts';

export type Random = (below: number) => number;

/** mulberry32: the same numbers in every run. */
export function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const words = ['', '0', '1', '2', 'a', 'length', '__proto__', 'constructor', 'é', 'flex', ...flexWrappers];

/** Writes message bodies that are nearly always right, with everything AMF0 and AMF3 have. */
export class AmfGenerator {
  readonly #random: Random;
  readonly #writer = new ByteWriter();
  #depth = 0;
  #complex = 0;
  #strings = 0;
  #objects = 0;
  readonly #traits: { sealed: number; dynamic: boolean; wraps: boolean }[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  message(): Uint8Array {
    for (let i = this.#random(3); i >= 0; i--) this.#value0();
    return this.#writer.view;
  }

  #value0(): void {
    const writer = this.#writer;
    const kind = this.#random(this.#depth > 6 ? 6 : 16);
    switch (kind) {
      case 0:
        writer.u8(0x00);
        writer.f64(this.#random(100) - 50.5);
        break;
      case 1:
        writer.u24(0x010100 + this.#random(2)); // A boolean and the marker after it.
        break;
      case 2:
        writer.u8(0x02);
        this.#text0(words[this.#random(words.length)]!);
        break;
      case 3:
        writer.u8([0x05, 0x06, 0x0d][this.#random(3)]!);
        break;
      case 4:
        writer.u8(0x0b);
        writer.f64(this.#random(1e9));
        writer.u16(this.#random(0x10000));
        break;
      case 5:
        writer.u8(this.#random(2) === 0 ? 0x0c : 0x0f);
        writer.u16(0);
        this.#text0('long');
        break;
      case 6:
      case 7:
        writer.u8(0x03);
        this.#pairs0();
        break;
      case 8:
        writer.u8(0x10);
        this.#text0(this.#random(4) === 0 ? '' : 'Some.Class');
        this.#pairs0();
        break;
      case 9:
      case 10:
        writer.u8(0x08);
        writer.u32(this.#random(5));
        this.#pairs0(this.#random(2) === 0);
        break;
      case 11: {
        const count = this.#random(5);
        writer.u8(0x0a);
        writer.u32(count);
        this.#complex++;
        this.#nested(() => this.#value0(), count);
        return;
      }
      case 12:
        writer.u8(0x07);
        writer.u16(this.#random(this.#complex + (this.#random(20) === 0 ? 2 : 0)));
        break;
      default:
        writer.u8(0x11);
        this.#value3();
    }
  }

  #pairs0(isList = false): void {
    const writer = this.#writer;
    this.#complex++;
    let index = 0;
    this.#nested(() => {
      this.#text0(isList && this.#random(8) !== 0 ? String(index++) : words[this.#random(words.length)]!);
      this.#value0();
    }, this.#random(5));
    if (this.#random(30) !== 0) writer.u24(0x000009);
  }

  #text0(text: string): void {
    this.#writer.utf8Short(text);
  }

  #nested(write: () => void, times: number): void {
    this.#depth++;
    for (let i = 0; i < times; i++) write();
    this.#depth--;
  }

  #value3(): void {
    const writer = this.#writer;
    const marker = this.#random(this.#depth > 6 ? 9 : 18);
    writer.u8(marker);
    switch (marker) {
      case 0:
      case 1:
      case 2:
      case 3:
        return;
      case 4:
        writeU29(writer, this.#random(2 ** 29));
        break;
      case 5:
        writer.f64(this.#random(2) / 3);
        break;
      case 6:
        this.#string3();
        break;
      case 7:
      case 0x0b:
      case 0x0c:
        if (this.#header3(3)) writer.utf8('xml');
        return;
      case 8:
        if (this.#header3(0)) writer.f64(this.#random(1e9));
        return;
      case 9: {
        const count = this.#random(4);
        if (!this.#header3(count)) return;
        this.#dynamic3(this.#random(2) * this.#random(4));
        this.#nested(() => this.#value3(), count);
        break;
      }
      case 0x0a:
        this.#object3();
        break;
      case 0x0d:
      case 0x0e:
      case 0x0f: {
        const count = this.#random(4);
        if (!this.#header3(count)) return;
        writer.u8(0);
        for (let i = 0; i < (marker === 0x0f ? count * 2 : count); i++) writer.u32(this.#random(2 ** 32));
        return;
      }
      case 0x10: {
        const count = this.#random(4);
        if (!this.#header3(count)) return;
        writer.u8(1);
        this.#string3();
        this.#nested(() => this.#value3(), count);
        break;
      }
      case 0x11: {
        const count = this.#random(3);
        if (!this.#header3(count)) return;
        writer.u8(0);
        this.#nested(() => this.#value3(), count * 2);
        break;
      }
      default:
    }
  }

  /** A reference now and then; otherwise the size, and true. */
  #header3(size: number): boolean {
    if (this.#random(4) === 0 && this.#objects > 0) {
      writeU29(this.#writer, this.#random(this.#objects + (this.#random(20) === 0 ? 2 : 0)) << 1);
      return false;
    }
    writeU29(this.#writer, (size << 1) | 1);
    this.#objects++;
    return true;
  }

  #object3(): void {
    const writer = this.#writer;
    if (this.#random(5) === 0 && this.#objects > 0) {
      writeU29(writer, this.#random(this.#objects) << 1);
      return;
    }
    this.#objects++;
    if (this.#random(2) === 0 && this.#traits.length > 0) {
      const index = this.#random(this.#traits.length);
      writeU29(writer, (index << 2) | 1);
      this.#members3(this.#traits[index]!);
      return;
    }
    const wraps = this.#random(4) === 0;
    const traits = { sealed: wraps ? 0 : this.#random(4), dynamic: !wraps && this.#random(2) === 0, wraps };
    writeU29(writer, wraps ? 7 : (traits.sealed << 4) | (traits.dynamic ? 8 : 0) | 3);
    this.#string3(wraps ? flexWrappers[this.#random(4)] : undefined);
    for (let i = 0; i < traits.sealed; i++) this.#string3();
    this.#traits.push(traits);
    this.#members3(traits);
  }

  #members3(traits: { sealed: number; dynamic: boolean; wraps: boolean }): void {
    this.#nested(() => this.#value3(), traits.wraps ? 1 : traits.sealed);
    if (traits.dynamic) this.#dynamic3(this.#random(4));
  }

  #dynamic3(pairs: number): void {
    this.#nested(() => {
      this.#string3(words[1 + this.#random(words.length - 1)]);
      this.#value3();
    }, pairs);
    if (this.#random(30) !== 0) this.#writer.u8(1);
  }

  #string3(text = words[this.#random(words.length)]!): void {
    const writer = this.#writer;
    if (this.#random(4) === 0 && this.#strings > 0) {
      writeU29(writer, this.#random(this.#strings) << 1);
      return;
    }
    if (text !== '') this.#strings++;
    const bytes = encodeAmf0([text]).subarray(3);
    writeU29(writer, (bytes.length << 1) | 1);
    writer.bytes(bytes);
  }
}
