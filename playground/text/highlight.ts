/** A piece of source, and what it is. */
export interface Token {
  readonly kind: 'comment' | 'string' | 'number' | 'word' | 'call' | '';
  readonly text: string;
}

const WORDS =
  'import|from|const|let|new|await|async|return|true|false|null|undefined|NaN|Infinity|for|of|if|else|try|catch';
const PATTERN = new RegExp(
  [
    '(?<comment>\\/\\/[^\\n]*)',
    '(?<string>\'(?:[^\'\\\\\\n]|\\\\.)*\'|"(?:[^"\\\\\\n]|\\\\.)*")',
    '(?<number>(?<![\\w$])-?\\d[\\w.]*)',
    `(?<word>(?<![\\w$.])(?:${WORDS})(?![\\w$]))`,
    '(?<call>[A-Za-z_$][\\w$]*(?=\\())',
  ].join('|'),
  'g',
);

/** Colours for the eye, no grammar. Joined, the texts are the source. */
export function highlight(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (const { index, 0: text, groups } of source.matchAll(PATTERN)) {
    if (index > at) tokens.push({ kind: '', text: source.slice(at, index) });
    const [kind] = Object.entries(groups!).find(([, found]) => found !== undefined) as [
      Token['kind'],
      string,
    ];
    tokens.push({ kind, text });
    at = index + text.length;
  }
  if (at < source.length) tokens.push({ kind: '', text: source.slice(at) });
  return tokens;
}
