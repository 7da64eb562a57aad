import { lineOf, lineStarts } from '../../scripts/lines.ts';
import { sourcePositions } from '../../scripts/stack-trace.ts';
import { type BuildMessage, fromSyntax } from '../build-error.ts';
import { INLINE_LENGTH, readElsewhere } from '../reader.ts';
import { compile } from '../syntax.ts';
import { explain, isDirective } from './explain.ts';
import { rewrite } from './rewrite.ts';
import { isWord, pairsOf, type Token, tokensOf } from './tokens.ts';

/** A classic script in words that V8 knows. */
export interface Prepared {
  readonly code: string;
  /** JSON. Missing when every line and column is where it was. */
  readonly sourceMap?: string;
  readonly hasForEach: boolean;
  readonly loads: NamedLoads;
  /** Why V8 will not compile it. */
  readonly problem?: BuildMessage;
}

export interface NamedLoads {
  /** What it loads by a name that can be read in its text. */
  readonly names: readonly string[];
  /** It may load anything: a name is reckoned, or `load` given to somebody. */
  readonly isOpen: boolean;
}

/** Nothing of a text without these words needs its tokens. */
const words = /\b(?:each|const|load)\b/;
/** Prepares the text of the file of that name. A long one is worked on elsewhere: those who watch must not wait. */
export function prepare(text: string, name: string): Promise<Prepared> {
  return text.length <= INLINE_LENGTH
    ? Promise.resolve(prepareNow(text, name))
    : prepareElsewhere(text, name);
}

export function prepareNow(text: string, name: string): Prepared {
  const tokens = words.test(text) ? tokensOf(text) : undefined;
  const rewritten = tokens ? rewrite(text, tokens, pairsOf(tokens), name) : { code: text, hasForEach: false };
  const loads = tokens ? loadsOf(tokens) : { names: [], isOpen: false };
  const problem = compile(rewritten.code);
  if (!problem) return { ...rewritten, loads };

  const message = fromSyntax(problem, name);
  const positions = sourcePositions({ filename: '', main: { name }, ...rewritten });
  const all = tokens ?? tokensOf(text);
  const directive = problem.message.startsWith('Private field') ? all.find(isDirective) : undefined;
  const place = directive
    ? placeOf(text, directive.at)
    : message.line > 0
      ? positions(message.line, message.column)
      : undefined;
  const offset = place && offsetOf(text, place.line, place.column);
  const construct = offset === undefined ? undefined : explain(all, pairsOf(all), offset);
  const found = { ...message, ...place, ...(construct !== undefined && { text: construct }) };
  return { ...rewritten, loads, problem: found };
}

function placeOf(text: string, offset: number): { line: number; column: number; lineText: string } {
  const starts = lineStarts(text);
  const behind = starts.findIndex((start) => start > offset);
  const line = behind < 0 ? starts.length : behind;
  return { line, column: offset - starts[line - 1]! + 1, lineText: lineOf(text, starts, line) ?? '' };
}

function offsetOf(text: string, line: number, column: number): number {
  const ends = text.matchAll(/\r\n|[\n\r\u2028\u2029]/g);
  let start = 0;
  for (let at = 1; at < line; at++) {
    const end = ends.next().value;
    if (!end) break;
    start = end.index + end[0].length;
  }
  return start + column - 1;
}

function loadsOf(tokens: readonly Token[]): NamedLoads {
  const names: string[] = [];
  let isOpen = false;
  tokens.forEach((_, index) => {
    if (!isWord(tokens, index, 'load') || tokens[index - 1]?.value === 'function') return;
    const [open, name, close] = tokens.slice(index + 1, index + 4);
    if (open?.value === ':') return;
    const isNamed = open?.value === '(' && name?.type === 'StringLiteral' && close?.value === ')';
    const value = isNamed ? textOf(name.value) : undefined;
    if (value === undefined) isOpen = true;
    else names.push(value);
  });
  return { names: [...new Set(names)], isOpen };
}

/** What a literal says, unless it has escapes other than of the backslash itself. */
function textOf(literal: string): string | undefined {
  const inner = literal.slice(1, -1).replaceAll('\\\\', '/');
  return inner.includes('\\') ? undefined : inner;
}

async function prepareElsewhere(text: string, name: string): Promise<Prepared> {
  try {
    return (await readElsewhere({ kind: 'prepare', text, name })) as Prepared;
  } catch (error) {
    const why = `it cannot be read: ${(error as Error).message}`;
    const problem = { file: name, line: 0, column: 0, lineText: '', text: why };
    return { code: text, hasForEach: false, loads: { names: [], isOpen: false }, problem };
  }
}
