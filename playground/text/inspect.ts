/** Values as text that reads like JavaScript: what JSON has is source that can be run, what it lacks is readable. */

export interface InspectLimits {
  /** Of what is nested. */
  readonly depth: number;
  /** Of an array, an object and the like. */
  readonly items: number;
  /** Characters of one text, and of the whole, about. */
  readonly text: number;
}

/** For what others have sent: it may be of any size, and go round in circles. */
const SHORT: InspectLimits = { depth: 8, items: 100, text: 4000 };
const WHOLE: InspectLimits = { depth: Infinity, items: Infinity, text: Infinity };
const LINE = 56;
const MORE = '…';

export function inspect(value: unknown, limits = SHORT): string {
  return new Inspection(limits).value(value, 0, '');
}

/** Source of a value that came from JSON. */
export function literal(value: unknown, indent = ''): string {
  return new Inspection(WHOLE).value(value, 0, indent);
}

/** In single quotes. */
export function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner}'`;
}

class Inspection {
  readonly #limits: InspectLimits;
  readonly #open: object[] = [];
  #left: number;

  constructor(limits: InspectLimits) {
    this.#limits = limits;
    this.#left = limits.text;
  }

  value(value: unknown, depth: number, indent: string): string {
    if (this.#left <= 0) return MORE;
    const text = this.#one(value, depth, indent);
    this.#left -= typeof value === 'object' ? 4 : text.length;
    return text;
  }

  #one(value: unknown, depth: number, indent: string): string {
    if (typeof value === 'string') {
      const { text } = this.#limits;
      return value.length > text ? `${quoted(value.slice(0, text))}${MORE}` : quoted(value);
    }
    if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
    if (typeof value !== 'object' || value === null) return String(value);
    if (value instanceof Date) {
      const time = value.getTime();
      return Number.isNaN(time) ? 'new Date(NaN)' : `new Date('${value.toISOString()}')`;
    }
    if (this.#open.includes(value)) return '[circular]';
    if (depth >= this.#limits.depth) return Array.isArray(value) ? `[${MORE}]` : `{${MORE}}`;
    this.#open.push(value);
    const text = this.#composed(value, depth, indent);
    this.#open.pop();
    return text;
  }

  #composed(value: object, depth: number, indent: string): string {
    const inner = `${indent}  `;
    const each = (item: unknown) => this.value(item, depth + 1, inner);
    const named = ([key, item]: [string, unknown]) => `${keyOf(key)}: ${each(item)}`;
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      const { name } = value.constructor;
      const numbers = value as unknown as ArrayLike<number>;
      const shown = this.#some(numbers.length, () => numbersOf(numbers), String);
      return this.#between(`${name}(${numbers.length}) [`, shown, ']', indent);
    }
    if (value instanceof Map) {
      const shown = this.#some(
        value.size,
        () => value as Map<unknown, unknown>,
        ([key, item]) => `${each(key)} => ${each(item)}`,
      );
      return this.#between(`Map(${value.size}) {`, shown, '}', indent);
    }
    if (Array.isArray(value)) {
      const shown = this.#some(value.length, () => value as unknown[], each);
      return this.#between('[', shown, ']', indent);
    }
    const entries = Object.entries(value);
    return this.#between(
      '{',
      this.#some(entries.length, () => entries, named),
      '}',
      indent,
    );
  }

  #some<T>(count: number, items: () => Iterable<T>, textOf: (item: T) => string): string[] {
    const shown: string[] = [];
    for (const item of items()) {
      if (shown.length >= this.#limits.items || this.#left <= 0) {
        shown.push(`${MORE} ${count - shown.length} more`);
        break;
      }
      shown.push(textOf(item));
    }
    return shown;
  }

  #between(open: string, items: readonly string[], close: string, indent: string): string {
    if (items.length === 0) return open + close;
    const gap = close === '}' ? ' ' : '';
    const line = `${open}${gap}${items.join(', ')}${gap}${close}`;
    if (indent.length + line.length <= LINE && !line.includes('\n')) return line;
    const lines = items.map((item) => `${indent}  ${item}${item.startsWith(MORE) ? '' : ','}`);
    return [open, ...lines, indent + close].join('\n');
  }
}

function* numbersOf(numbers: ArrayLike<number>): Generator<number> {
  for (let at = 0; at < numbers.length; at++) yield numbers[at]!;
}

function keyOf(key: string): string {
  // Without the brackets it would be the prototype.
  if (key === '__proto__') return "['__proto__']";
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key);
}
