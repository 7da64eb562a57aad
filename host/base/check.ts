import type { z } from 'zod';
import { printable } from './errors.ts';

/** What is wrong with a file or a command line: `what` names the place, `text` follows it. */
export interface Problem {
  /** `limits.handlerMs`, `unknown option "limits.handlrMs"`, `the content`. */
  what: string;
  /** ` is "x", expected a number`, or `: did you mean limits.handlerMs?`. */
  text: string;
}

/** The first thing that the schema says is wrong: where, the value seen, and what is allowed or was meant. */
export function firstProblem(schema: z.ZodObject, content: unknown): Problem | undefined {
  const issue = schema.safeParse(content).error?.issues[0];
  if (!issue) return undefined;
  const key = issue.path.join('.');

  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys[0] ?? '';
    const known = keysAt(schema, issue.path);
    const nearest = nearestName(unknown, known);
    const prefix = key === '' ? '' : `${key}.`;
    const hint = nearest ? `did you mean ${prefix}${nearest}?` : `known are ${known.join(', ')}`;
    return { what: `unknown option ${quoted(prefix + unknown)}`, text: `: ${hint}` };
  }
  const seen = issue.path.reduce<unknown>(
    (value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part],
    content,
  );
  const expected =
    issue.code === 'invalid_type' && issue.expected === 'object' ? 'a JSON object' : issue.message;
  return { what: key || 'the content', text: ` is ${quoted(seen)}, expected ${expected}` };
}

/** The names that the object at this place of the schema knows. */
function keysAt(schema: z.ZodObject, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const part of path) {
    const { shape } = unwrapped(at) as { shape?: Record<PropertyKey, unknown> };
    at = shape?.[part];
  }
  return Object.keys((unwrapped(at) as { shape?: object }).shape ?? {});
}

function unwrapped(schema: unknown): object {
  let at = schema as { unwrap?: () => unknown };
  while (typeof at?.unwrap === 'function') at = at.unwrap() as typeof at;
  return at ?? {};
}

export function quoted(value: unknown): string {
  return printable(JSON.stringify(value) ?? String(value), 80);
}

/** The known name that was probably meant: at most one in `letters` of its letters differs. */
export function nearestName(name: string, known: readonly string[], letters = 3): string | undefined {
  if (name.length > 64) return undefined;
  const wanted = name.toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, best.candidate.length / letters) ? best.candidate : undefined;
}

/** Letters to add, drop, replace, or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1]!;
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? rows[i - 2]![j - 2]! + 1 : replace;
      row.push(Math.min(replace, swap, above[j]! + 1, row[j - 1]! + 1));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
