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

export function addStatus(of: string, { level, code, description }: Info): void {
  const kind = level === 'error' || level === 'warning' ? level : 'status';
  add({ kind, of, name: String(code), text: String(description ?? '') });
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
          add({ kind: 'call', of, name, text: args.map((each) => inspect(each)).join(', ') });
          if (of !== '') return undefined;
          if (!heard.value.includes(name)) heard.value = [...heard.value, name].slice(-MAX_HEARD);
          return parseValue(answerText.value).value;
        };
      },
    },
  );
}
