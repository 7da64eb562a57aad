/** What people write in a field: JSON, or what is wrong with it. */
export type Parsed<T> =
  | { readonly value: T; readonly problem?: undefined }
  | { readonly problem: string; readonly value?: undefined };

export function parseValue(text: string): Parsed<unknown> {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { problem: explain(text, error as Error) };
  }
}

/** Several, with commas between: the arguments of a call. */
export function parseArguments(text: string): Parsed<unknown[]> {
  const list = text.trim();
  if (list === '') return { value: [] };
  const { value, problem } = parseValue(`[${list}]`);
  if (problem === undefined) return { value: value as unknown[] };
  return { problem: problemOf(list) ?? problem };
}

/** The text to edit a value with; undefined when JSON cannot have all of it. */
export function jsonOf(value: unknown): string | undefined {
  return isJson(value, []) ? JSON.stringify(value) : undefined;
}

function isJson(value: unknown, open: readonly object[]): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value !== 'object' || open.includes(value)) return false;
  const inner = [...open, value];
  if (Array.isArray(value)) return value.every((item) => isJson(item, inner));
  if (value instanceof Date || value instanceof Map || ArrayBuffer.isView(value)) return false;
  return Object.values(value).every((item) => isJson(item, inner));
}

function explain(text: string, error: Error): string {
  return (
    problemOf(text) ??
    `This is no JSON: ${error.message.replace(/,? ?"?(\.\.\.)?"?.*is not valid JSON$/s, '')}`
  );
}

/** What people get wrong most. */
function problemOf(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return 'Write a value.';
  const outside = trimmed.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  if ((outside.replaceAll('""', '').match(/"/g)?.length ?? 0) % 2 === 1)
    return 'A text does not end: " is missing.';
  if (outside.includes("'")) return 'Texts are written in double quotes: "hello".';
  if (/[{,]\s*[A-Za-z_$][\w$]*\s*:/.test(outside))
    return 'Names of properties are written in double quotes: {"a": 1}.';
  const [word] =
    outside.match(/[A-Za-z_$][\w$]*/g)?.filter((one) => !/^(true|false|null|e|E)$/.test(one)) ?? [];
  if (word !== undefined) return `Texts are written in double quotes: "${word.slice(0, 40)}".`;
  if (/,\s*[\]}]?$/.test(outside) && outside.endsWith(',')) return 'There is a comma too many at the end.';
  const [open, close] = [/[[{]/g, /[\]}]/g].map((pattern) => outside.match(pattern)?.length ?? 0);
  if (open! > close!) return 'A bracket is not closed.';
  if (close! > open!) return 'A bracket is closed that was not opened.';
  return undefined;
}
