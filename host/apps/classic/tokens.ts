import jsTokens, { type Token as AnyToken } from 'js-tokens';

/** What is left of a script without white space and comments. */
export interface Token {
  readonly type: Exclude<AnyToken['type'], Space>;
  readonly value: string;
  /** Offset in the text. */
  readonly at: number;
  /** A line ends between the token before and this one. */
  readonly isFirst: boolean;
}

type Space = 'WhiteSpace' | 'LineTerminatorSequence' | `${'Multi' | 'Single'}LineComment` | 'HashbangComment';

const space: ReadonlySet<string> = new Set<Space>([
  'WhiteSpace',
  'LineTerminatorSequence',
  'MultiLineComment',
  'SingleLineComment',
  'HashbangComment',
]);
const lineEnd = /[\n\r\u2028\u2029]/;

export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let isFirst = true;
  let isHtmlComment = false;
  for (const { type, value } of jsTokens(text)) {
    const isLineEnd = lineEnd.test(value) && type !== 'RegularExpressionLiteral';
    if (space.has(type)) {
      if (isLineEnd) isHtmlComment = false;
      isFirst ||= isLineEnd;
    } else if (!isHtmlComment) {
      tokens.push({ type: type as Token['type'], value, at, isFirst });
      isFirst = false;
      isHtmlComment = endsInHtmlComment(tokens);
    }
    at += value.length;
  }
  return tokens;
}

/** `<!--` begins a comment that ends with the line (ECMA-262, annex B.1.1). Takes it off the list. */
function endsInHtmlComment(tokens: Token[]): boolean {
  const [less, not, dashes] = tokens.slice(-3);
  if (dashes?.value !== '--' || not?.value !== '!' || less?.value !== '<') return false;
  if (not.at !== less.at + 1 || dashes.at !== not.at + 1) return false;
  tokens.length -= 3;
  return true;
}

const closers: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

export function isOpener({ type, value }: Token): boolean {
  return type === 'Punctuator' && Object.hasOwn(closers, value);
}

export function isCloser({ type, value }: Token): boolean {
  return type === 'Punctuator' && (value === ')' || value === ']' || value === '}');
}

/** A word that is neither the name of a property nor a key of an object literal. */
export function isWord(tokens: readonly Token[], index: number, word: string): boolean {
  const token = tokens[index];
  if (token?.type !== 'IdentifierName' || token.value !== word) return false;
  const before = tokens[index - 1]?.value;
  return before !== '.' && before !== '?.';
}

/** By the index of a bracket that of its partner; -1 for all else. Reckoned once: searching each would take for ever. */
export type Pairs = Int32Array;

export function pairsOf(tokens: readonly Token[]): Pairs {
  const pairs = new Int32Array(tokens.length).fill(-1);
  const open: number[] = [];
  tokens.forEach((token, index) => {
    if (isOpener(token)) open.push(index);
    else if (isCloser(token)) {
      const partner = open.pop();
      if (partner === undefined || closers[tokens[partner]!.value] !== token.value) return;
      pairs[partner] = index;
      pairs[index] = partner;
    }
  });
  return pairs;
}
