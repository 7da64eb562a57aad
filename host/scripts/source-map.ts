/** One place of the source that a piece of built code comes from: index into the map's `sources`, line and column from 0. */
export interface Origin {
  source: number;
  line: number;
  column: number;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUE_OF = new Int8Array(128).fill(-1);
for (let value = 0; value < DIGITS.length; value++) VALUE_OF[DIGITS.charCodeAt(value)] = value;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;

/** Numbers of one segment: where in the built code (line, column), and its origin. */
const WIDTH = 5;
const [LINE, COLUMN, SOURCE, SOURCE_LINE, SOURCE_COLUMN] = [0, 1, 2, 3, 4] as const;
const NO_SOURCE = -1;

/**
 * The `mappings` of a source map (ECMA-426, section 9.2), read once into one flat array: what they describe is the
 * author's, and may have millions of pieces. Returns what finds the origin of a position in the built code, line and
 * column from 0; undefined for one that comes from nowhere. What is no mapping ends the reading.
 */
export function readMappings(mappings: string): (line: number, column: number) => Origin | undefined {
  let most = 1;
  for (let at = 0; at < mappings.length; at++) {
    const unit = mappings.charCodeAt(at);
    if (unit === COMMA || unit === SEMICOLON) most++;
  }
  const segments = new Int32Array(most * WIDTH);
  let count = 0;
  // The column starts anew with each line of the built code; the others are differences to the last segment that has them.
  const last = new Int32Array(WIDTH);
  let field = COLUMN as number;
  let value = 0;
  let shift = 0;
  const endSegment = () => {
    if (field === COLUMN) return; // an empty one
    const at = count * WIDTH;
    segments.set(last, at);
    if (field < SOURCE_COLUMN + 1) segments[at + SOURCE] = NO_SOURCE;
    count++;
    field = COLUMN;
  };
  for (let at = 0; at < mappings.length; at++) {
    const unit = mappings.charCodeAt(at);
    if (unit === COMMA || unit === SEMICOLON) {
      endSegment();
      if (unit === COMMA) continue;
      last[LINE]!++;
      last[COLUMN] = 0;
      continue;
    }
    const digit = unit < 128 ? VALUE_OF[unit]! : -1;
    if (digit < 0 || shift > 30) break;
    value |= (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    // The fifth is the name's, which nobody asks for.
    if (field <= SOURCE_COLUMN) last[field]! += (value & 1) === 1 ? -(value >>> 1) : value >>> 1;
    field++;
    value = 0;
    shift = 0;
  }
  endSegment();

  return (line, column) => {
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = middle * WIDTH;
      const isBehind =
        segments[at + LINE]! > line || (segments[at + LINE] === line && segments[at + COLUMN]! > column);
      if (isBehind) high = middle;
      else low = middle + 1;
    }
    const at = (low - 1) * WIDTH;
    if (low === 0 || segments[at + LINE] !== line || segments[at + SOURCE] === NO_SOURCE) return undefined;
    return {
      source: segments[at + SOURCE]!,
      line: segments[at + SOURCE_LINE]!,
      column: segments[at + SOURCE_COLUMN]!,
    };
  };
}
