import { pino } from 'pino';
import { type Clock, systemClock } from './clock.ts';
import { describeError, printable, StagewireError } from './errors.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'pretty' | 'json';

/** What a record says besides its message. Further fields are printed as `name=value`. */
export interface LogFields {
  /** `app/instance`, or the application's name when no instance is meant. */
  readonly instance?: string | undefined;
  /** Id of the build that the instance runs. */
  readonly build?: string | undefined;
  readonly client?: string | undefined;
  readonly code?: string | undefined;
  /** Lines for people under the message (code frame, next step). The only text that keeps its line breaks. */
  readonly detail?: string | undefined;
  /** What was thrown. A StagewireError gives its code; anything else is a bug and brings its stack. */
  readonly error?: unknown;
  readonly [name: string]: unknown;
}

/** Messages and fields may quote peers and scripts: control characters are escaped and lengths bounded. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every record carries these fields too. */
  child(fields: LogFields): Log;
  /** Resolves when what is waiting has been written, or after a moment: a stuck terminal holds nobody up. */
  flush(): Promise<void>;
}

export interface LogOptions {
  /** Default `pretty`. */
  readonly format?: LogFormat;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default: when standard output is a terminal, or as FORCE_COLOR and NO_COLOR say. */
  readonly color?: boolean;
  /** Default: standard output, written in the background so that a stuck terminal never stops the host. */
  readonly out?: { write(text: string): unknown };
  readonly clock?: Clock;
}

const maxMessage = 8192;
const maxField = 2048;
const maxDetail = 16_384;
const maxFields = 32;
const flushMs = 250;
const retryMs = 1000;
/** Records that a slow reader of standard output has not taken are dropped beyond this. */
const maxUnwrittenBytes = 8 * 1024 * 1024;

export function createLog(options: LogOptions = {}): Log {
  const { format = 'pretty', level = 'info', clock = systemClock } = options;
  const out = options.out ?? standardOutput();
  const color = options.color ?? wantsColor();
  const stream =
    format === 'json'
      ? { write: (line: string) => void out.write(line) }
      : { write: (line: string) => void out.write(formatPretty(JSON.parse(line) as LogRecord, color)) };

  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: (error: unknown) => error },
    },
    stream,
  );
  const flush = () =>
    new Promise<void>((resolve) => {
      setTimeout(resolve, flushMs).unref();
      if ('flush' in out && typeof out.flush === 'function') out.flush(() => resolve());
      else resolve();
    });
  return new PinoLog(logger, {}, flush);
}

/** What a text measures in the log, in which some characters are many. */
export function printedBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(printableLines(text, maxMessage + maxDetail)));
}

/**
 * What it goes to may be a full disk, or a terminal that nobody reads. What waits is written when there is room again, and
 * the end of the process does not wait for that.
 */
function standardOutput(): ReturnType<typeof pino.destination> {
  let isFailing = false;
  let isWaiting = false;
  let giveUpAt = Number.POSITIVE_INFINITY;
  const out = pino.destination({
    dest: 1,
    sync: false,
    maxLength: maxUnwrittenBytes,
    retryEAGAIN: () => performance.now() < giveUpAt,
  });
  out.on('error', () => {
    isFailing = true;
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      out.write(''); // tries what waits
    }, retryMs).unref();
  });
  out.on('write', () => {
    isFailing = false;
  });
  // Called at the end of the process.
  const flushSync = out.flushSync.bind(out);
  out.flushSync = () => {
    giveUpAt = performance.now() + flushMs;
    try {
      if (!isFailing) flushSync();
    } catch {
      // Nobody reads it.
    }
  };
  return out;
}

class PinoLog implements Log {
  readonly #logger: pino.Logger;
  readonly #fields: LogFields;
  readonly flush: () => Promise<void>;

  constructor(logger: pino.Logger, fields: LogFields, flush: () => Promise<void>) {
    this.#logger = logger;
    this.#fields = fields;
    this.flush = flush;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields);
  }

  child(fields: LogFields): Log {
    return new PinoLog(this.#logger, { ...this.#fields, ...fields }, this.flush);
  }

  #write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!this.#logger.isLevelEnabled(level)) return;
    this.#logger[level](safeFields({ ...this.#fields, ...fields }), printable(message, maxMessage));
  }
}

/** Fields as plain bounded text, numbers and booleans: nothing in a record can throw or run on. */
function safeFields(fields: LogFields): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields).slice(0, maxFields)) {
    if (value === undefined) continue;
    if (name === 'error') {
      safe.error = describeError(value, maxField);
      if (value instanceof StagewireError) safe.code ??= value.code;
      else if (value instanceof Error) safe.detail ??= printableLines(String(value.stack), maxDetail);
    } else if (name === 'detail') {
      safe.detail = printableLines(String(value), maxDetail);
    } else {
      safe[reservedNames.has(name) ? `${name}_` : printable(name, 64)] = safeValue(value);
    }
  }
  return safe;
}

const reservedNames = new Set(['time', 'level', 'message', '__proto__']);

function safeValue(value: unknown): unknown {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'string') return printable(value, maxField);
  try {
    return printable(JSON.stringify(value) ?? String(value), maxField);
  } catch {
    return printable(describeError(value), maxField);
  }
}

function printableLines(text: string, maxLength: number): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}\n...` : text;
  return cut
    .split(/\r?\n/)
    .map((line) => printable(line.replaceAll('\t', '  '), maxLength))
    .join('\n');
}

type LogRecord = { time: string; level: LogLevel; message: string } & Record<string, unknown>;

const shownApart = new Set(['time', 'level', 'message', 'instance', 'build', 'client', 'code', 'detail']);

/** One record as `21:04:07 info  chat/lobby 7f3a  message name=value`, its details indented below. */
function formatPretty(record: LogRecord, color: boolean): string {
  const paint = color ? paintAnsi : (text: string) => text;
  const { instance, build, client, code, detail } = record;

  const place = [
    instance === undefined ? '' : paint(String(instance), 'cyan'),
    build === undefined ? '' : paint(String(build), 'dim'),
    client === undefined ? '' : paint(`client ${client}`, 'dim'),
  ].filter(Boolean);
  const rest = Object.entries(record)
    .filter(([name]) => !shownApart.has(name))
    .map(([name, value]) => paint(`${name}=${fieldText(value)}`, 'dim'));
  const columns = [
    place.join(' '),
    code === undefined ? '' : paint(String(code), 'bold'),
    [record.message, ...rest].join(' '),
  ].filter(Boolean);

  const head = `${paint(localTime(record.time), 'dim')} ${paint(record.level.padEnd(5), levelColors[record.level])} `;
  const below = detail === undefined ? '' : `\n${String(detail).replace(/^/gm, ' '.repeat(15))}`;
  return `${head}${columns.join('  ')}${below}\n`;
}

function fieldText(value: unknown): string {
  const text = String(value);
  return /[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text;
}

function localTime(time: string): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

const ansi = { dim: 2, bold: 1, red: 31, yellow: 33, green: 32, cyan: 36, gray: 90 } as const;
const levelColors = { debug: 'gray', info: 'green', warn: 'yellow', error: 'red' } as const;

function paintAnsi(text: string, style: keyof typeof ansi): string {
  return `\x1b[${ansi[style]}m${text}\x1b[0m`;
}

function wantsColor(): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = process.env;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return process.stdout.isTTY === true && !NO_COLOR && TERM !== 'dumb';
}
