import { StagewireError } from '../../wire/errors.ts';

export { type Blame, StagewireError } from '../../wire/errors.ts';

/** One line about anything that was thrown: safe with values whose getters or `toString` throw. */
export function describeError(error: unknown, maxLength = 1000): string {
  try {
    if (error instanceof StagewireError) return printable(`${error.code}  ${error.message}`, maxLength);
    if (error instanceof Error) {
      const prefix = error.name === 'Error' || error.name === '' ? '' : `${error.name}: `;
      const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
      return printable(`${prefix}${error.message}${cause}`, maxLength);
    }
    return printable(typeof error === 'string' ? error : `thrown value: ${String(error)}`, maxLength);
  } catch {
    return 'an error that cannot be described';
  }
}

// C0 and C1 controls move cursors and colour text; the others reorder or hide what a terminal shows, or are not seen.
const unprintable =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is its purpose.
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]|\p{Cs}/gu;
const shortEscapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from peers or scripts made fit for a terminal: control characters become escapes such as `\n` and
 * `\x1b`, and what is longer than `maxLength` is cut with a note of how much is missing.
 */
export function printable(text: string, maxLength = 8192): string {
  const missing = text.length - maxLength;
  const kept = missing > 0 ? text.slice(0, maxLength) : text;
  const escaped = kept.replace(unprintable, escapeCharacter);
  return missing > 0 ? `${escaped}... (${missing} more characters)` : escaped;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0)!;
  return (
    shortEscapes[character] ??
    (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`)
  );
}

const frameWidth = 100;

/**
 * A source line with a caret under the column, for people to read:
 *
 *     41 | for (;;) {}
 *        | ^
 *
 * `line` and `column` count from 1. Long lines show the part around the column.
 */
export function codeFrame(lineText: string, line: number, column: number): string {
  const at = Math.min(Math.max(column - 1, 0), lineText.length);
  const from = at < frameWidth - 20 ? 0 : at - frameWidth / 2;
  const lead = plain(lineText.slice(from, at));
  const rest = plain(lineText.slice(at, from + frameWidth));
  const start = from > 0 ? '...' : '';
  const end = from + frameWidth < lineText.length ? '...' : '';
  const gutter = `${line} | `;
  return `${gutter}${start}${lead}${rest}${end}\n${' '.repeat(gutter.length - 2)}| ${' '.repeat(start.length + lead.length)}^`;
}

/** Keeps the caret in place: a tab becomes two columns, any other control character one. */
function plain(text: string): string {
  return text.replaceAll('\t', '  ').replace(unprintable, '?');
}
