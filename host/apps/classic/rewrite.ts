import MagicString from 'magic-string';
import { isCloser, isOpener, isWord, type Pairs, type Token } from './tokens.ts';

/** What `for each` loops over: see scriptlib.ts, which defines it. */
export const VALUES = '$_of';

/** Of all maps of a build: reading them holds up the host, which has streams to serve. */
export const MAX_MAP_LENGTH = 4 * 1024 * 1024;

export interface Rewritten {
  readonly code: string;
  /** JSON. Missing when every line and column is where it was. */
  readonly sourceMap?: string;
  readonly hasForEach: boolean;
}

/** Puts what V8 does not have, or has differently, into its words. Lines stay where they are. */
export function rewrite(text: string, tokens: readonly Token[], pairs: Pairs, name: string): Rewritten {
  const edited = new MagicString(text);
  let depth = 0;
  let hasForEach = false;
  tokens.forEach((token, index) => {
    if (isOpener(token)) depth++;
    else if (isCloser(token)) depth--;
    else if (depth === 0 && isConst(tokens, index)) {
      // Then it was a property of the global object, and a file that is loaded twice declared it twice.
      edited.update(token.at, token.at + token.value.length, 'var  ');
    } else if (isWord(tokens, index, 'for') && isWord(tokens, index + 1, 'each')) {
      hasForEach = rewriteForEach(edited, tokens, pairs, index) || hasForEach;
    }
  });
  const code = edited.toString();
  if (!hasForEach) return { code, hasForEach };
  const map = edited.generateMap({ source: name, includeContent: true, hires: 'boundary' });
  const sourceMap = map.toString();
  // Without one, lines are right and columns nearly.
  return { code, ...(sourceMap.length <= MAX_MAP_LENGTH && { sourceMap }), hasForEach };
}

function isConst(tokens: readonly Token[], index: number): boolean {
  return isWord(tokens, index, 'const') && tokens[index + 1]?.value !== ':';
}

/**
 * `for each (x in list)` gives `x` the values of the properties that `for (name in list)` names, in that order
 * (ECMA-357, section 12.3): `for      (x of $_of(list))`.
 */
function rewriteForEach(edited: MagicString, tokens: readonly Token[], pairs: Pairs, index: number): boolean {
  const each = tokens[index + 1]!;
  const open = index + 2;
  const close = pairs[open] ?? -1;
  if (close < 0) return false;
  const at = inOf(tokens, pairs, open, close);
  const [over, first, end] = [tokens[at]!, tokens[at + 1]!, tokens[close]!];
  if (at === close || first === end) return false;
  edited.update(each.at, each.at + each.value.length, '    ');
  edited.update(over.at, over.at + over.value.length, 'of');
  // Twice, since what is looped over may be a list with commas.
  edited.appendLeft(first.at, `${VALUES}((`);
  edited.appendRight(end.at, '))');
  return true;
}

/** The index of the `in` that belongs to the loop; that of the closing parenthesis when there is none. */
function inOf(tokens: readonly Token[], pairs: Pairs, open: number, close: number): number {
  for (let i = open + 1; i < close; i++) {
    if (pairs[i]! > i) i = pairs[i]!;
    else if (isWord(tokens, i, 'in')) return i;
  }
  return close;
}
