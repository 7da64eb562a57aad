import { isBuiltin } from 'node:module';
import type { BuildFailure, Message } from 'esbuild';
import { codeFrame, describeError, printable, StagewireError } from '../base/errors.ts';
import type { BundlerDeath } from '../scripts/bundler.ts';
import { checkSyntax, type SyntaxProblem } from './syntax.ts';

/** Something the author must know about a file. Line and column count from 1; 0 means the file as a whole. */
export interface BuildMessage {
  /** Relative to the app folder; empty when no file is to blame. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly lineText: string;
  readonly text: string;
}

const maxPrinted = 5;

/** The build failed; the author must act. The running build, if any, goes on. */
export class BuildError extends StagewireError {
  readonly messages: readonly BuildMessage[];
  /** Absolute paths that the build is known to have read: change one of them and it may succeed. */
  readonly inputs: readonly string[];
  /** Trying again would cost as much and end the same. */
  readonly isFinal: boolean;

  constructor(messages: readonly BuildMessage[], inputs: readonly string[], { isFinal = false } = {}) {
    const first = messages[0];
    const more = messages.length > 1 ? ` (and ${messages.length - 1} more)` : '';
    super('E_BUILD', 'app', first ? `${heading(first)}${more}` : 'the build failed');
    this.name = 'BuildError';
    this.messages = messages;
    this.inputs = [...new Set(inputs)];
    this.isFinal = isFinal;
  }

  /** For a terminal: place and reason, the source line, a caret. */
  format(): string {
    const printed = this.messages.slice(0, maxPrinted).map(formatMessage);
    const missing = this.messages.length - printed.length;
    return [...printed, ...(missing > 0 ? [`... and ${missing} more`] : [])].join('\n');
  }
}

export function formatMessage(message: BuildMessage): string {
  const { line, column, lineText } = message;
  return line > 0 ? `${heading(message)}\n${codeFrame(lineText, line, column)}` : heading(message);
}

function heading({ file, line, column, text }: BuildMessage): string {
  const place = line > 0 ? `${file}:${line}:${column}` : file;
  return printable(place ? `${place}: ${text}` : text, 500);
}

/** esbuild counts columns from 0 and in bytes of UTF-8. */
export function fromEsbuild({ text, location }: Message): BuildMessage {
  if (!location) return { file: '', line: 0, column: 0, lineText: '', text: forAuthors(text) };
  const { file, line, lineText } = location;
  const before = Buffer.from(lineText).subarray(0, location.column).toString();
  return { file, line, column: before.length + 1, lineText, text: forAuthors(text) };
}

function forAuthors(text: string): string {
  const unresolved = /^Could not resolve "(.+)"$/.exec(text)?.[1];
  if (unresolved !== undefined && isBuiltin(unresolved)) {
    return `"${unresolved}" is part of Node and not available in the sandbox: applications have no files, sockets or processes of their own, but File (docs/scripting.md) and fetch`;
  }
  if (unresolved !== undefined && !/^[./]/.test(unresolved)) {
    return `${text}: is the package installed in the app's folder?`;
  }
  if (text.startsWith('Top-level await ')) {
    return 'Top-level await is not available in an application: await inside an async function, such as application.onAppStart';
  }
  return text;
}

/** V8's verdict on a sloppy script, without running it: the first syntax error, if there is one. */
export async function checkScript(code: string, file: string): Promise<BuildMessage | undefined> {
  const problem = await checkSyntax(code);
  return problem && fromSyntax(problem, file);
}

export function fromSyntax(problem: SyntaxProblem, file: string): BuildMessage {
  // The stack starts with `script:LINE`, the source line, and a line with carets under the culprit.
  const [place = '', lineText = '', carets = ''] = problem.stack.split('\n', 3);
  const line = Number(/^script:(\d+)$/.exec(place)?.[1] ?? 0);
  const column = line > 0 ? (carets.includes('^') ? carets.indexOf('^') : carets.length) + 1 : 0;
  return { file, line, column, lineText: line > 0 ? lineText : '', text: problem.message };
}

/** Code that the bundler does not survive, or never comes to the end of. */
export function deadly({ message }: BundlerDeath, file: string, inputs: readonly string[]): BuildError {
  return new BuildError([{ file, line: 0, column: 0, lineText: '', text: message }], inputs, {
    isFinal: true,
  });
}

/** What esbuild has to say about the code; any other failure of it is the host's. */
export function errorsOf(error: unknown, what: string): readonly Message[] {
  const errors = (error as Partial<BuildFailure>).errors;
  if (errors && errors.length > 0) return errors;
  throw new StagewireError('E_BUILDER', 'host', `esbuild failed on ${what}: ${describeError(error)}`);
}
