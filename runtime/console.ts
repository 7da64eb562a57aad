import { hide } from './clock.ts';
import type { Outbox } from './outbox.ts';
import type { LogLevel } from './protocol.ts';

const MAX_TEXT = 8192;
const MAX_DEPTH = 3;
const MAX_ENTRIES = 50;

/** `trace` and `console`: text to the instance's log. */
export function installConsole(global: typeof globalThis, outbox: Outbox): void {
  const print =
    (level: LogLevel) =>
    (...values: unknown[]) => {
      const text = values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ');
      outbox.send({ kind: 'log', level, text: bounded(text) });
    };
  const info = print('info');
  hide(global, 'console', {
    log: info,
    info,
    debug: print('debug'),
    warn: print('warn'),
    error: print('error'),
  });
  // FCS converts its one argument as `String` does.
  hide(global, 'trace', (value: unknown) =>
    outbox.send({ kind: 'log', level: 'info', text: bounded(String(value)) }),
  );
}

function bounded(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}... (${text.length} characters)`;
}

/** A value as a person would write it, to a bounded depth and width; what throws while being read says so. */
export function inspect(value: unknown, depth = 0, seen: unknown[] = []): string {
  try {
    if (typeof value === 'string') return depth === 0 ? value : JSON.stringify(value);
    if (typeof value === 'function') return `[function ${value.name || 'anonymous'}]`;
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value !== 'object' || value === null) return String(value);
    if (value instanceof Error) return value.stack ?? `${value.name}: ${value.message}`;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (seen.includes(value)) return '[circular]';
    if (depth >= MAX_DEPTH) return Array.isArray(value) ? '[...]' : '{...}';
    const inner = (entry: unknown) => inspect(entry, depth + 1, [...seen, value]);
    if (Array.isArray(value))
      return `[${value.slice(0, MAX_ENTRIES).map(inner).join(', ')}${more(value.length)}]`;
    if (ArrayBuffer.isView(value)) return `[${value.constructor.name} of ${value.byteLength} bytes]`;
    if (value instanceof Map) {
      const entries = [...value]
        .slice(0, MAX_ENTRIES)
        .map(([key, entry]) => `${inner(key)} => ${inner(entry)}`);
      return `Map { ${entries.join(', ')}${more(value.size)} }`;
    }
    if (value instanceof Set)
      return `Set { ${[...value].slice(0, MAX_ENTRIES).map(inner).join(', ')}${more(value.size)} }`;
    const keys = Object.keys(value);
    const entries = keys
      .slice(0, MAX_ENTRIES)
      .map((key) => `${key}: ${inner((value as Record<string, unknown>)[key])}`);
    const name = Object.getPrototypeOf(value)?.constructor?.name;
    const label = name && name !== 'Object' ? `${name} ` : '';
    return `${label}{ ${entries.join(', ')}${more(keys.length)} }`.replace('{  }', '{}');
  } catch (error) {
    return `[not readable: ${error instanceof Error ? error.message : 'threw'}]`;
  }
}

function more(length: number): string {
  return length > MAX_ENTRIES ? `, ... ${length - MAX_ENTRIES} more` : '';
}
