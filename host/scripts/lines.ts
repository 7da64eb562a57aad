const [LF, CR, LS, PS] = [0x0a, 0x0d, 0x2028, 0x2029];

/** Where the lines of a text begin, as V8 counts them (ECMA-262, section 12.3). */
export function lineStarts(text: string): Int32Array {
  let starts = new Int32Array(64);
  let count = 1;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== LF && unit !== CR && unit !== LS && unit !== PS) continue;
    if (unit === CR && text.charCodeAt(at + 1) === LF) continue;
    if (count === starts.length) {
      const larger = new Int32Array(count * 2);
      larger.set(starts);
      starts = larger;
    }
    starts[count++] = at + 1;
  }
  return starts.subarray(0, count);
}

/** A line by its number, from 1, without what ends it. Undefined when there is none. */
export function lineOf(text: string, starts: Int32Array, line: number): string | undefined {
  const start = starts[line - 1];
  if (start === undefined) return undefined;
  return text.slice(start, starts[line]).replace(/(\r\n|[\n\r\u2028\u2029])$/, '');
}
