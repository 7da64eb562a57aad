import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How the runner sets an attack off: it calls the client's method `attack`, connects, publishes or leaves. */
export const ATTACKS = ['top-level', 'connect', 'call', 'timer', 'publish', 'disconnect'] as const;
export type Attack = (typeof ATTACKS)[number];

/** What may become of a script: it lives on, or it ends for one of these reasons, or it never starts. */
export const ENDS = ['none', 'cpu', 'memory', 'stuck', 'crash', 'mailbox', 'refused'] as const;
export type End = (typeof ENDS)[number];

/** One file of `scripts/`, with what its header says. */
export interface HostileScript {
  readonly name: string;
  /** What it is called in its application's folder: `.js` files run as modules, `.asc` files as classic scripts. */
  readonly main: 'main.ts' | 'main.asc';
  readonly source: string;
  readonly tries: string;
  readonly attack: Attack;
  readonly ends: readonly End[];
  /** The method that must return true afterwards. */
  readonly check: string | undefined;
  /** It sends its own clients more than they can take: its viewers skip, or are dropped with a reason. */
  readonly isFlood: boolean;
}

const folder = fileURLToPath(new URL('scripts', import.meta.url));
const KEYS = ['Tries', 'Attack', 'Ends', 'Check', 'Audience'];
const MAINS: Readonly<Record<string, HostileScript['main']>> = { '.js': 'main.ts', '.asc': 'main.asc' };

/** Every file of the folder. Throws for one that is no script or does not say what it does. */
export function readScripts(): HostileScript[] {
  const files = readdirSync(folder).sort();
  const scripts = files.map((file) => parseScript(file, readFileSync(join(folder, file), 'utf8')));
  const names = new Set<string>();
  for (const { name } of scripts) {
    if (names.has(name)) throw new Error(`${name}: two scripts have this name`);
    names.add(name);
  }
  return scripts;
}

/** A script from its text: the header is the lines of comment at its top. */
export function parseScript(file: string, source: string): HostileScript {
  const extension = extname(file);
  const main = MAINS[extension];
  const name = file.slice(0, -extension.length);
  if (!main || !/^[a-z0-9-]+$/.test(name))
    throw new Error(`${file}: a script is named words-with-dashes.js or .asc`);

  const [comment = ''] = /^(?:\/\/.*\n?)*/.exec(source) ?? [];
  // A sentence may run over several lines.
  const lines = comment.replace(/\n\/\/ (?![A-Z][a-z]+: )/g, ' ').matchAll(/^\/\/ ([A-Z][a-z]+): (.+)$/gm);
  const header = new Map([...lines].map(([, key = '', value = '']) => [key, value]));
  const get = (key: string) => {
    const value = header.get(key);
    if (value === undefined) throw new Error(`${file}: its header has no line "// ${key}: ..."`);
    return value;
  };
  const unknown = [...header.keys()].filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) throw new Error(`${file}: its header has an unknown line "// ${unknown[0]}: ..."`);
  return {
    name,
    main,
    source,
    tries: get('Tries'),
    attack: oneOf(file, 'Attack', get('Attack'), ATTACKS),
    ends: endsOf(file, get('Ends')),
    check: header.get('Check'),
    isFlood: header.has('Audience') && oneOf(file, 'Audience', get('Audience'), ['flooded']) === 'flooded',
  };
}

function endsOf(file: string, text: string): End[] {
  if (text === 'any') return ENDS.filter((end) => end !== 'refused');
  return text.split('|').map((word) => oneOf(file, 'Ends', word.trim(), ENDS));
}

function oneOf<T extends string>(file: string, key: string, word: string, words: readonly T[]): T {
  const found = words.find((each) => each === word);
  if (found === undefined) throw new Error(`${file}: ${key} is one of ${words.join(', ')}, not "${word}"`);
  return found;
}
