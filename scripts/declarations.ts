/** A declaration of runtime/globals.d.ts, or a member of one. */
export interface Declaration {
  /** The comment before it, without its stars. */
  readonly doc: string;
  readonly lines: readonly string[];
}

/** What stands at the left margin, or at `indent`, each with the comment before it. The layout is the formatter's. */
export function declarations(lines: readonly string[], indent = ''): Declaration[] {
  const found: Declaration[] = [];
  let doc: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!.slice(indent.length);
    if (line.startsWith('/**')) {
      doc = [];
      for (; ; at++) {
        doc.push(
          lines[at]!.trim()
            .replace(/^\/\*\*|\*\/$/g, '')
            .replace(/^\*/, '')
            .replace(/^ /, '')
            .trimEnd(),
        );
        if (lines[at]!.includes('*/')) break;
      }
    } else if (line === '') {
      doc = [];
    } else {
      const start = at;
      // To the line that ends it: a declaration goes on for as long as lines are indented further, or close it.
      while (at + 1 < lines.length && !isWhole(lines.slice(start, at + 1).join('\n'))) at++;
      found.push({
        doc: doc.join('\n').trim(),
        lines: lines.slice(start, at + 1).map((each) => each.slice(indent.length)),
      });
      doc = [];
    }
  }
  return found;
}

function isWhole(code: string): boolean {
  const count = (pattern: RegExp) => (code.match(pattern) ?? []).length;
  const isBalanced = count(/[{(<[]/g) === count(/[})\]]/g) + count(/(?<!=)>/g);
  return isBalanced && /[;}]$/.test(code);
}
