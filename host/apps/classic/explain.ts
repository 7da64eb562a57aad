import { isWord, type Pairs, type Token } from './tokens.ts';

const E4X = 'V8 has no E4X: build and read XML as text';
const AS2 = 'server scripts are ActionScript 1, which is JavaScript: leave the types out';
const CLASSES = 'server scripts have constructor functions and prototypes instead';

interface Scene {
  readonly tokens: readonly Token[];
  readonly pairs: Pairs;
  /** The index of the token that V8 stumbled over. */
  readonly at: number;
  /** The values of the tokens from so far before to so far behind it, as in `value(-1)`. */
  value(offset: number): string;
}

interface Construct {
  readonly text: string;
  readonly isHere: (scene: Scene) => boolean;
}

/** What a classic script may have that V8 will not compile, by what surrounds the token where V8 gives up. */
const constructs: readonly Construct[] = [
  {
    text: `default xml namespace (E4X): ${E4X}`,
    isHere: ({ value }) => value(0) === 'default' && value(1) === 'xml' && value(2) === 'namespace',
  },
  {
    text: `XML literal (E4X): ${E4X}`,
    isHere: ({ tokens, at, value }) =>
      value(0) === '<' && /^(?:[>?!]|[A-Za-z_].*)$/.test(value(1)) && !isOperand(tokens[at - 1]),
  },
  {
    text: `XML attribute, "@" (E4X): ${E4X}`,
    isHere: ({ value }) => value(0) === '@' && isAfterValue(value),
  },
  {
    text: `XML descendants, ".." (E4X): ${E4X}`,
    isHere: ({ value }) => value(0) === '.' && (value(-1) === '.' || value(1) === '.'),
  },
  {
    text: `XML filter, ".(condition)" (E4X): ${E4X}`,
    isHere: ({ value }) => value(0) === '(' && value(-1) === '.',
  },
  {
    text: `XML wildcard, ".*" (E4X): ${E4X}`,
    isHere: ({ value }) => value(0) === '*' && value(-1) === '.' && value(-3) !== 'import',
  },
  {
    text: `namespace qualifier, "::" (E4X): ${E4X}`,
    isHere: ({ tokens, at }) => isDoubleColon(tokens, at - 1) || isDoubleColon(tokens, at),
  },
  {
    text: '#include: a directive of the Flash authoring tool, use load("file.asc")',
    isHere: ({ tokens, at }) => isDirective(tokens[at]!),
  },
  {
    text: 'sharp variable, "#1=": write the object first and assign the cycle afterwards',
    isHere: ({ value }) => value(0) === '#' && /^\d+$/.test(value(1)),
  },
  {
    text: 'import (ActionScript 2): server scripts have no packages, use load("file.asc")',
    isHere: ({ tokens, at }) => isPackageImport(tokens, at),
  },
  {
    text: 'import and export are for modules, and this is a classic script: rename main.asc to main.ts, or use load("file.asc")',
    isHere: ({ tokens, at }) => isWord(tokens, at, 'import') || isWord(tokens, at, 'export'),
  },
  { text: `type annotation (ActionScript 2): ${AS2}`, isHere: isType },
  { text: `class (ActionScript 2): ${CLASSES}`, isHere: isClass },
  {
    text: 'condition in catch, "catch (e if ...)": write an if inside of the catch block',
    isHere: ({ value }) => value(0) === 'if' && value(-2) === '(' && value(-3) === 'catch',
  },
  {
    text: 'array comprehension, "[f(x) for (x in list)]": use a loop, or map and filter',
    isHere: ({ tokens, at, value }) =>
      value(0) === 'for' && isOperand(tokens[at - 1]) && !tokens[at]!.isFirst,
  },
  {
    text: 'let block, "let (x = 1) { }": declare with var, or with let inside of the braces',
    isHere: (scene) => headOf(scene) === 'let',
  },
  {
    text: 'expression closure, "function (x) x * x": write { return ...; } around the expression',
    isHere: (scene) => headOf(scene) === 'function',
  },
  {
    text: 'generator of JavaScript 1.7, "yield" in a plain function: write function* instead of function',
    isHere: ({ value }) => value(-1) === 'yield',
  },
  {
    text: 'getter or setter assignment of JavaScript 1.5, "x getter = f": use __defineGetter__ or Object.defineProperty',
    isHere: ({ value }) => /^[gs]etter$/.test(value(0)) && /^(?:=|function|:)$/.test(value(1)),
  },
];

/**
 * What an author wrote that V8 will not compile, and what to write instead; undefined when it is none of what classic
 * scripts are known for. `offset` is where V8 found the error.
 */
export function explain(tokens: readonly Token[], pairs: Pairs, offset: number): string | undefined {
  const at = tokenAt(tokens, offset);
  if (at < 0) return undefined;
  const scene = { tokens, pairs, at, value: (by: number) => tokens[at + by]?.value ?? '' };
  return constructs.find(({ isHere }) => isHere(scene))?.text;
}

/** What V8 takes for a private name, and complains of in the wrong place. */
export function isDirective({ type, value }: Token): boolean {
  return type === 'PrivateIdentifier' && value === '#include';
}

/** `import a.b.C;` and `import a.b.*;`: what modules never say. */
export function isPackageImport(tokens: readonly Token[], index: number): boolean {
  if (!isWord(tokens, index, 'import') || tokens[index + 1]?.type !== 'IdentifierName') return false;
  const after = tokens[index + 2];
  return after === undefined || after.value === '.' || after.value === ';';
}

/** The token that `offset` is in; -1 when there is none, as at the end. */
function tokenAt(tokens: readonly Token[], offset: number): number {
  let [low, high] = [0, tokens.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (tokens[middle]!.at <= offset) low = middle + 1;
    else high = middle - 1;
  }
  const token = tokens[high];
  return token && offset < token.at + token.value.length ? high : -1;
}

const operators = /^(?:return|typeof|case|in|of|delete|void|throw|new|else|do|instanceof|yield)$/;

/** Something that an operator may follow. */
function isOperand(token: Token | undefined): boolean {
  if (!token) return false;
  if (token.type === 'Punctuator') return /^[)\]}]$/.test(token.value);
  return token.type !== 'IdentifierName' || !operators.test(token.value);
}

function isDoubleColon(tokens: readonly Token[], at: number): boolean {
  const [first, second] = [tokens[at], tokens[at + 1]];
  return first?.value === ':' && second?.value === ':' && second.at === first.at + 1;
}

function isAfterValue(value: Scene['value']): boolean {
  return value(-1) === '.' || value(-1) === '(' || /^[&|!=]/.test(value(-1));
}

/** The word before a parenthesis that closes right before this token: `function` for `function name(a) x`. */
function headOf({ tokens, pairs, at, value }: Scene): string {
  const open = value(-1) === ')' ? pairs[at - 1]! : -1;
  if (open < 1) return '';
  const [before, word] = [tokens[open - 2]?.value ?? '', tokens[open - 1]!.value];
  return before === 'function' ? before : word;
}

/** A colon after a name in `var x: T`, after a parameter, or after the parameters. */
function isType({ tokens, pairs, at, value }: Scene): boolean {
  if (value(0) !== ':') return false;
  if (value(-1) === ')') return headOf({ tokens, pairs, at, value }) === 'function';
  if (/^(?:var|const|let)$/.test(value(-2))) return true;
  if (value(-2) === ',' || value(-2) === '(') return isParameter(tokens, at - 2);
  return false;
}

/** Looks back for `function name (`, over no more than what one list of parameters holds. */
function isParameter(tokens: readonly Token[], index: number): boolean {
  const least = Math.max(0, index - 500);
  for (let i = index; i >= least; i--) {
    const { value } = tokens[i]!;
    if (value === '(') return tokens[i - 1]?.value === 'function' || tokens[i - 2]?.value === 'function';
    if (value === ')' || value === '{' || value === ';') return false;
  }
  return false;
}

const modifiers = /^(?:public|private|protected|internal|dynamic|intrinsic|final|static|override)$/;
const members = /^(?:class|interface|function|var|const|static|public|private)$/;

/** `dynamic class X`, `interface X`, `package x`, `class a.b.C`, and `var` or `function` right inside of a class. */
function isClass({ tokens, at, value }: Scene): boolean {
  if (modifiers.test(value(-1)) && members.test(value(0))) return true;
  if (/^(?:interface|package)$/.test(value(-1)) && tokens[at]!.type === 'IdentifierName') return true;
  if (value(0) === '.' && value(-2) === 'class') return true;
  if (value(0) === 'implements') return true;
  return /^(?:var|function)$/.test(value(-1)) && isInClass(tokens, at - 2);
}

/** Whether the brace that is open at `index` is that of `class X {` or `class X extends a.B {`. */
function isInClass(tokens: readonly Token[], index: number): boolean {
  let depth = 0;
  for (let i = index; i >= 0; i--) {
    const { value } = tokens[i]!;
    if (value === '}') depth++;
    else if (value === '{' && depth-- === 0) {
      // A long token is no name of a class: a text that repeats these words would take the pattern hours.
      const head = tokens.slice(Math.max(0, i - 12), i).map(({ value }) => (value.length > 64 ? '_' : value));
      return /\bclass \S+( extends \S+( \. \S+)*)?( implements .*)?$/.test(head.join(' '));
    }
  }
  return false;
}
