import { wordOf } from './arguments.ts';
import { hide } from './clock.ts';
import { inspect } from './inspect.ts';
import type { Outbox } from './outbox.ts';
import { sliceOf } from './primordials.ts';
import type { LogLevel } from './wall/commands.ts';

const MAX_TEXT = 8192;

/** `trace` and `console`: text to the instance's log. */
export function installConsole(global: typeof globalThis, outbox: Outbox): void {
  const print =
    (level: LogLevel) =>
    (...values: unknown[]) => {
      let text = '';
      for (let i = 0; i < values.length; i++) text += `${i === 0 ? '' : ' '}${inspect(values[i])}`;
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
    outbox.send({
      kind: 'log',
      level: 'info',
      text: bounded(wordOf('trace', value)),
    }),
  );
}

function bounded(text: string): string {
  return text.length <= MAX_TEXT ? text : `${sliceOf(text, 0, MAX_TEXT)}... (${text.length} characters)`;
}
