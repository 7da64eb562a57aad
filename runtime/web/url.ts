import { askCore, hasOwn, hide, NativeTypeError, shown, textOf } from '../shared.ts';
import { MAX_URL_CHARACTERS } from '../wall/asks.ts';
import { need, toStringTag } from './helpers.ts';
import { linkedParams, refillParams, type URLSearchParams } from './url-search-params.ts';

/** In the order in which the core tells them (host/core/answers.ts). */
const Part = {
  href: 0,
  origin: 1,
  protocol: 2,
  username: 3,
  password: 4,
  host: 5,
  hostname: 6,
  port: 7,
  pathname: 8,
  search: 9,
  hash: 10,
} as const;
type Parts = readonly string[];

/** Only this file makes a URL of parts: no script gets hold of it. */
const MAKING = {};

export let isUrl: (value: object) => value is URL;

/** An address (URL, section 6.1). The core takes it apart: it has Node's own parser. */
export class URL {
  #parts: Parts;
  #params: URLSearchParams | undefined;

  constructor(input: unknown, base?: unknown) {
    if (input === MAKING) {
      this.#parts = base as Parts;
      return;
    }
    need(arguments.length, 1, 'new URL');
    const text = textOf('new URL', input);
    const from = base === undefined ? null : textOf('new URL', base);
    const parts = parse('new URL', text, from);
    if (!parts) {
      const message = `new URL: ${shown(text)} is no URL${from === null ? '' : ` relative to ${shown(from)}`}`;
      const error = new NativeTypeError(message);
      hide(error, 'code', 'ERR_INVALID_URL');
      throw error;
    }
    this.#parts = parts;
  }

  static {
    isUrl = (value): value is URL => #parts in value;
  }

  static canParse(input: unknown, base?: unknown): boolean {
    need(arguments.length, 1, 'URL.canParse');
    return parseGiven('URL.canParse', input, base) !== null;
  }

  static parse(input: unknown, base?: unknown): URL | null {
    need(arguments.length, 1, 'URL.parse');
    const parts = parseGiven('URL.parse', input, base);
    return parts && new URL(MAKING, parts);
  }

  get href(): string {
    return this.#parts[Part.href]!;
  }

  set href(value: unknown) {
    this.#set('href', value);
  }

  get origin(): string {
    return this.#parts[Part.origin]!;
  }

  get protocol(): string {
    return this.#parts[Part.protocol]!;
  }

  set protocol(value: unknown) {
    this.#set('protocol', value);
  }

  get username(): string {
    return this.#parts[Part.username]!;
  }

  set username(value: unknown) {
    this.#set('username', value);
  }

  get password(): string {
    return this.#parts[Part.password]!;
  }

  set password(value: unknown) {
    this.#set('password', value);
  }

  get host(): string {
    return this.#parts[Part.host]!;
  }

  set host(value: unknown) {
    this.#set('host', value);
  }

  get hostname(): string {
    return this.#parts[Part.hostname]!;
  }

  set hostname(value: unknown) {
    this.#set('hostname', value);
  }

  get port(): string {
    return this.#parts[Part.port]!;
  }

  set port(value: unknown) {
    this.#set('port', value);
  }

  get pathname(): string {
    return this.#parts[Part.pathname]!;
  }

  set pathname(value: unknown) {
    this.#set('pathname', value);
  }

  get search(): string {
    return this.#parts[Part.search]!;
  }

  set search(value: unknown) {
    this.#set('search', value);
  }

  get hash(): string {
    return this.#parts[Part.hash]!;
  }

  set hash(value: unknown) {
    this.#set('hash', value);
  }

  /** One object for the life of the URL: what changes the one changes the other. */
  get searchParams(): URLSearchParams {
    this.#params ??= linkedParams(this.search, (query) => this.#change('search', query));
    return this.#params;
  }

  toString(): string {
    return this.#parts[Part.href]!;
  }

  toJSON(): string {
    return this.#parts[Part.href]!;
  }

  get [toStringTag](): string {
    return 'URL';
  }

  #set(member: keyof typeof Part, value: unknown): void {
    this.#change(member, textOf(`URL.${member}`, value));
    if (this.#params && (member === 'href' || member === 'search'))
      refillParams(this.#params, this.#parts[Part.search]!);
  }

  #change(member: keyof typeof Part, value: string): void {
    checkLength(`URL.${member}`, value);
    const parts = asked(`URL.${member}`, 'setUrl', [this.#parts[Part.href], member, value]);
    if (!parts) throw new NativeTypeError(`URL.${member}: ${shown(value)} is no URL`);
    this.#parts = parts;
  }
}

function parseGiven(member: string, input: unknown, base: unknown): Parts | null {
  const text = textOf(member, input);
  return parse(member, text, base === undefined ? null : textOf(member, base));
}

function parse(member: string, input: string, base: string | null): Parts | null {
  checkLength(member, input);
  if (base !== null) checkLength(member, base);
  return asked(member, 'url', [input, base]);
}

function asked(member: string, question: string, args: readonly unknown[]): Parts | null {
  try {
    return askCore(question, args) as Parts | null;
  } catch (error) {
    // Refused by the core; nothing else that is thrown here has a code.
    throw hasOwn(error as object, 'code')
      ? new NativeTypeError(`${member}: ${(error as Error).message}`)
      : error;
  }
}

function checkLength(member: string, text: string): void {
  if (text.length > MAX_URL_CHARACTERS)
    throw new NativeTypeError(
      `${member}: a URL of ${text.length} characters; ${MAX_URL_CHARACTERS} are allowed`,
    );
}
