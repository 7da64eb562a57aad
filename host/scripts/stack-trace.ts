import { codeFrame } from '../base/errors.ts';
import { lineOf, lineStarts } from './lines.ts';
import { readMappings } from './source-map.ts';

/** What a stack trace needs to know of the script that ran; a Build fits. */
export interface TracedScript {
  /** The name V8 puts into stack frames, such as `app:chat/7f3a90c1.js`. */
  readonly filename: string;
  readonly code: string;
  /** JSON. Without one the code is the author's file as it is. */
  readonly sourceMap?: string | undefined;
  /** The texts of the map's sources by name, as far as they are known: a map's own contents come first. */
  readonly texts?: ReadonlyMap<string, string> | undefined;
  readonly main?: { readonly name: string } | undefined;
  /** Scripts of a classic application beside the main one: run before it, or loaded by it. */
  readonly preludes?: readonly TracedFile[] | undefined;
  readonly loads?: { readonly files: readonly TracedFile[] } | undefined;
}

/** V8 calls it as its script, followed by `/` and its own name. */
export interface TracedFile {
  readonly name: string;
  readonly code: string;
  readonly sourceMap?: string | undefined;
  readonly texts?: ReadonlyMap<string, string> | undefined;
}

/** A place in a file of the author. Line and column count from 1; the file is relative to the app folder. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The text of that line, when it is known. */
  readonly lineText?: string;
}

export interface StackFrame {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly function?: string;
}

export interface StackTrace {
  /** What the stack says before its first frame. It is the script's text: escape it before printing. */
  readonly message: string;
  /** Frames in the author's files, innermost first. */
  readonly frames: readonly StackFrame[];
  /** The line of the innermost frame with a caret under the column. */
  readonly codeFrame?: string;
}

// A stack is any text that a script likes to put into `error.stack`: bound everything.
const maxStackLength = 65_536;
const maxMessageLength = 4096;
const maxLines = 256;
const maxFrames = 32;
const maxFunctionLength = 128;

/** Maps a stack from inside the isolate to the author's files; frames of the runtime and of helpers go. */
export function mapStackTrace(stack: string, script: TracedScript): StackTrace {
  const text = stack.slice(0, maxStackLength);
  const firstFrame = text.search(/\n {1,8}at /);
  const head = firstFrame < 0 ? text : text.slice(0, firstFrame);
  const lines = firstFrame < 0 ? [] : text.slice(firstFrame + 1).split('\n', maxLines);

  const places = lines.flatMap((line) => readFrame(line, script) ?? []);
  const inMessage = places.length === 0 ? readCompileError(head, script) : undefined;
  const frames: StackFrame[] = [];
  let frame: string | undefined;

  for (const place of inMessage ? [inMessage.place] : places) {
    const found = sourcePositions(script, place.of)(place.line, place.column);
    if (!found) continue;
    const { file, line, column, lineText } = found;
    if (frames.length === 0 && lineText !== undefined) frame = codeFrame(lineText, line, column);
    frames.push({ file, line, column, ...(place.function ? { function: place.function } : {}) });
    if (frames.length === maxFrames) break;
  }

  const message = (inMessage?.message ?? head).slice(0, maxMessageLength);
  return { message, frames, ...(frame === undefined ? {} : { codeFrame: frame }) };
}

interface Place {
  /** Which of the script's files; the main one has no name here. */
  readonly of: string;
  readonly line: number;
  readonly column: number;
  readonly function?: string | undefined;
}

/** Reads `at name (filename:line:column)`, `at filename:line:column` and the site of an `eval`. */
function readFrame(frame: string, { filename }: TracedScript): Place | undefined {
  const body = frame.trimStart();
  if (!body.startsWith('at ')) return undefined;
  // The name is searched, not matched by a pattern: it holds whatever characters the app's folder has.
  const at = body.lastIndexOf(filename);
  const place = at < 0 ? undefined : readPlace(body, at + filename.length);
  return place && { ...place, function: functionName(body.slice(3, at)) };
}

/** isolated-vm ends the message of a syntax error with `[filename:line:column]`. */
function readCompileError(
  head: string,
  { filename }: TracedScript,
): { message: string; place: Place } | undefined {
  const at = head.lastIndexOf(`[${filename}`);
  const place = at < 0 ? undefined : readPlace(head, at + filename.length + 1);
  return place && { message: head.slice(0, at).trimEnd(), place };
}

/** What follows the script's name: `:line:column`, or `/file:line:column`. */
function readPlace(text: string, at: number): Place | undefined {
  const match = /^(?:\/(.{1,1024}?))?:(\d{1,9}):(\d{1,9})/.exec(text.slice(at, at + 1100));
  const line = Number(match?.[2]);
  const column = Number(match?.[3]);
  return line > 0 && column > 0 ? { of: match?.[1] ?? '', line, column } : undefined;
}

function functionName(text: string): string | undefined {
  const end = text.indexOf(' (');
  if (end < 0) return undefined;
  const name = text.slice(0, Math.min(end, maxFunctionLength)).replace(/^async /, '');
  return name === '' || name.endsWith('<anonymous>') ? undefined : name;
}

type FindPosition = (line: number, column: number) => SourcePosition | undefined;
const known = new WeakMap<object, FindPosition>();
/** Those in `known`, the latest last: what was read measures up to four times its text. */
let recent: { file: WeakRef<object>; length: number }[] = [];
/** As much text and maps as all files of one build may have: each error may name all of them. */
const MOST_KNOWN = 32 * 1024 * 1024;
let knownLength = 0;
/** More text is not searched for a line: whoever maps a trace has streams to serve. */
const MAX_TEXT = 4 * 1024 * 1024;

function remember(file: object, find: FindPosition, length: number): void {
  known.set(file, find);
  recent.push({ file: new WeakRef(file), length });
  knownLength += length;
  let forgotten = 0;
  for (const old of recent) {
    if (knownLength <= MOST_KNOWN || forgotten === recent.length - 1) break;
    const it = old.file.deref();
    if (it) known.delete(it);
    knownLength -= old.length;
    forgotten++;
  }
  recent = recent.slice(forgotten);
}

/**
 * Finds the author's position for a line and column (from 1) of the built code, of the main script or of the file of
 * that name. A map is read once.
 */
export function sourcePositions(script: TracedScript, of = ''): FindPosition {
  const file = of === '' ? script : fileOf(script, of);
  const name = of === '' ? script.main?.name : of;
  if (!file || name === undefined) return () => undefined;
  let find = known.get(file);
  if (!find) {
    const { code, sourceMap, texts } = file;
    find = sourceMap === undefined ? positionsAsTheyAre(name, code) : positionsByMap(sourceMap, texts);
    remember(file, find, code.length + (sourceMap?.length ?? 0));
  }
  return find;
}

function fileOf({ preludes, loads }: TracedScript, name: string): TracedFile | undefined {
  const isIt = (file: TracedFile) => file.name === name;
  return loads?.files.find(isIt) ?? preludes?.find(isIt);
}

function positionsAsTheyAre(file: string, code: string): FindPosition {
  const textOf = linesOf(code);
  return (line, column) => {
    const lineText = textOf(line);
    if (lineText === undefined) return code.length > MAX_TEXT ? { file, line, column } : undefined;
    return { file, line, column, lineText };
  };
}

interface SourceMap {
  readonly sources: readonly (string | null)[];
  readonly sourcesContent?: readonly (string | null)[];
  readonly mappings: string;
}

function positionsByMap(sourceMap: string, texts?: ReadonlyMap<string, string>): FindPosition {
  const { sources, sourcesContent, mappings } = JSON.parse(sourceMap) as SourceMap;
  const find = readMappings(mappings);
  /** Of the source that was asked for last. */
  let lines: { file: string; textOf: (line: number) => string | undefined } | undefined;

  return (line, column) => {
    // Helpers of the bundler have no entry of their own.
    const origin = find(line - 1, column - 1);
    const file = origin && sources[origin.source];
    if (!file) return undefined;
    if (lines?.file !== file)
      lines = { file, textOf: linesOf(sourcesContent?.[origin.source] ?? texts?.get(file) ?? '') };
    const position = { file, line: origin.line + 1, column: origin.column + 1 };
    const lineText = lines.textOf(position.line);
    return lineText === undefined ? position : { ...position, lineText };
  };
}

/** Finds a line of a text by its number, from 1. Of a long text none. */
function linesOf(text: string): (line: number) => string | undefined {
  if (text.length > MAX_TEXT) return () => undefined;
  let starts: Int32Array | undefined;
  return (line) => {
    starts ??= lineStarts(text);
    return lineOf(text, starts, line);
  };
}
