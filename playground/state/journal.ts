import { signal } from '@preact/signals';
import type { Info } from '../../client/index.ts';
import { inspect } from '../text/inspect.ts';
import { parseValue } from '../text/json.ts';

/** Something that came by itself: a call, data of a stream, a status. */
export interface Entry {
  readonly id: number;
  readonly at: Date;
  readonly kind: 'call' | 'status' | 'warning' | 'error';
  /** Whose it is; empty for the connection. */
  readonly of: string;
  readonly name: string;
  readonly text: string;
}

const MAX_ENTRIES = 200;
const MAX_HEARD = 8;
/** Characters of a name, and of what a status says. */
const MAX_NAME = 200;
const MAX_TEXT = 2000;
/** What comes faster is shown together. */
const SHOW_MS = 50;

/** Newest first. */
export const entries = signal<readonly Entry[]>([]);
/** Methods of the page that the application has called, for the code. */
export const heard = signal<readonly string[]>([]);
/** What calls are answered with: JSON, or nothing. */
export const answerText = signal('');

let count = 0;
let waiting: Entry[] = [];
let isSoon = false;

function add(entry: Omit<Entry, 'id' | 'at'>): void {
  waiting.push({ ...entry, id: ++count, at: new Date() });
  if (waiting.length > MAX_ENTRIES) waiting.shift();
  if (isSoon) return;
  isSoon = true;
  setTimeout(show, SHOW_MS);
}

function show(): void {
  isSoon = false;
  entries.value = [...waiting.reverse(), ...entries.value].slice(0, MAX_ENTRIES);
  waiting = [];
}

export function clearJournal(): void {
  entries.value = [];
}

/** What a status says, as texts: others may have put anything there. */
export function told({ code, description }: Partial<Info>): { code: string; description: string } {
  return { code: textOf(code).slice(0, MAX_NAME), description: textOf(description).slice(0, MAX_TEXT) };
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : inspect(value);
}

export function addStatus(of: string, info: Info): void {
  const { level } = info;
  const { code, description } = told(info);
  add({
    kind: level === 'error' || level === 'warning' ? level : 'status',
    of,
    name: code,
    text: description,
  });
}

/** An object that has every method: what calls it is written down, and answered as the user wants. */
export function everyMethod(of: string): object {
  return new Proxy(
    {},
    {
      get(_, name) {
        // The server measures with it what it can send; the client knows the answer.
        if (typeof name !== 'string' || name === 'onBWCheck') return undefined;
        return (...args: unknown[]) => {
          add({ kind: 'call', of, name: name.slice(0, MAX_NAME), text: inspect(args).slice(1, -1) });
          if (of !== '') return undefined;
          if (!heard.value.includes(name) && name.length <= MAX_NAME)
            heard.value = [...heard.value, name].slice(-MAX_HEARD);
          return parseValue(answerText.value).value;
        };
      },
    },
  );
}
