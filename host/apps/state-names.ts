import { lineOf, lineStarts } from '../scripts/lines.ts';
import { sourcePositions, type TracedScript } from '../scripts/stack-trace.ts';

/** What stands before `keep(` where its result is assigned: `export const state: State = `. */
const ASSIGNED = /(?:^|[\s;{(])(?:const|let|var)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*(?::[^=]*)?=\s*$/u;
const PLACE = /^:(\d{1,9}):(\d{1,9})\)?$/;
const MAX_STACK = 8192;

/**
 * What an author calls the state that `keep` is given, by the stack of the call: the file and the variable. Undefined
 * where the call's result is not assigned to a variable.
 */
export function nameOfState(stack: string, script: TracedScript): string | undefined {
  for (const line of stack.slice(0, MAX_STACK).split('\n')) {
    const at = line.lastIndexOf(script.filename);
    if (at < 0) continue; // the runtime's own
    const [, row, column] = PLACE.exec(line.slice(at + script.filename.length)) ?? [];
    const place = sourcePositions(script)(Number(row), Number(column));
    if (!place) return undefined;
    const written = ASSIGNED.exec(place.lineText?.slice(0, place.column - 1) ?? '');
    // A formatter may have put the call on a line of its own; the bundler does not.
    const built = ASSIGNED.exec(
      lineOf(script.code, lineStarts(script.code), Number(row))?.slice(0, Number(column) - 1) ?? '',
    );
    const name = (written ?? built)?.[1];
    return name && `${place.file}: ${name}`;
  }
  return undefined;
}
