import { Script } from 'node:vm';
import { INLINE_LENGTH, readElsewhere } from './reader.ts';

/** What V8 said of a script that it would not compile. */
export interface SyntaxProblem {
  message: string;
  stack: string;
}

/** V8's verdict on a sloppy script, without running it: the first syntax error, if there is one. */
export async function checkSyntax(code: string): Promise<SyntaxProblem | undefined> {
  if (code.length <= INLINE_LENGTH) return compile(code);
  try {
    return (await readElsewhere({ kind: 'compile', code })) as SyntaxProblem | undefined;
  } catch (error) {
    return { message: `V8 cannot compile it: ${(error as Error).message}`, stack: '' };
  }
}

export function compile(code: string): SyntaxProblem | undefined {
  try {
    new Script(code, { filename: 'script' });
    return undefined;
  } catch (error) {
    const { message = String(error), stack = '' } = error as Partial<Error>;
    return { message, stack };
  }
}
