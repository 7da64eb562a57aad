import {
  after,
  append,
  apply,
  hide,
  isArray,
  NativeTypeError,
  reading,
  reportError,
  request,
  runHandler,
  shown,
  toText,
} from '../shared.ts';
import type { HttpHeader } from '../wall/fields.ts';

/** What an answer is given to: a LoadVars, an XML, or anything with their handlers. */
export type Target = Record<string, unknown>;

export interface Outgoing {
  /** `LoadVars.load`. */
  member: string;
  url: string;
  method: 'GET' | 'POST';
  contentType: unknown;
  headers: readonly HttpHeader[];
  body: string;
}

/** Bytes of the answers that targets have got: undefined before. */
export interface Progress {
  loaded: number | undefined;
}

export function urlOf(member: string, url: unknown): string {
  if (typeof url !== 'string')
    throw new NativeTypeError(`${member}: expected a URL as text, got ${shown(url)}`);
  return url;
}

export function methodOf(member: string, method: unknown): 'GET' | 'POST' {
  if (method === undefined || method === null) return 'POST';
  if (method === 'GET' || method === 'get') return 'GET';
  if (method === 'POST' || method === 'post') return 'POST';
  throw new NativeTypeError(`${member}: expected "GET" or "POST" as method, got ${shown(method)}`);
}

export function targetOf(member: string, target: unknown): Target {
  if (typeof target !== 'object' || target === null)
    throw new NativeTypeError(`${member}: expected an object that takes the answer, got ${shown(target)}`);
  return target as Target;
}

/** `addRequestHeader(name, value)`, or a list of names and values. */
export function addHeaders(member: string, headers: HttpHeader[], name: unknown, value: unknown): void {
  if (!isArray(name)) return addHeader(member, headers, name, value);
  const list = reading(member, () => after(name, 0));
  const { length } = list;
  if (length % 2 !== 0)
    throw new NativeTypeError(`${member}: expected names and values in turn, got a list of ${length}`);
  for (let i = 0; i < length; i += 2) addHeader(member, headers, list[i], list[i + 1]);
}

const MAX_HEADERS = 100;

function addHeader(member: string, headers: HttpHeader[], name: unknown, value: unknown): void {
  if (typeof name !== 'string' || (typeof value !== 'string' && typeof value !== 'number'))
    throw new NativeTypeError(
      `${member}: expected the name of a header and a text, got ${shown(name)} and ${shown(value)}`,
    );
  if (headers.length >= MAX_HEADERS) throw new NativeTypeError(`${member}: more than ${MAX_HEADERS} headers`);
  append(headers, [name, toText(value)]);
}

/**
 * Makes a request. The target's `onHTTPStatus` hears the status (0 when there is no answer), then its `onData` the
 * text, or undefined when there is none. Why there is none is told to the author.
 */
export function send(
  outgoing: Outgoing,
  target: Target | undefined,
  onBytes?: (bytes: number) => void,
): void {
  const { member, url, method, contentType, body } = outgoing;
  const headers: HttpHeader[] = [];
  for (let i = 0; i < outgoing.headers.length; i++) append(headers, outgoing.headers[i]!);
  if (method === 'POST') {
    if (typeof contentType !== 'string')
      throw new NativeTypeError(`${member}: contentType: expected text, got ${shown(contentType)}`);
    append(headers, ['content-type', contentType]);
  }
  if (target) reading(member, () => hide(target, 'loaded', false));
  const answered = (status: number, text: string | undefined) => {
    if (!target) return;
    tell(target, member, 'onHTTPStatus', status);
    tell(target, member, 'onData', text);
  };
  request(url, { method, headers, body }, (answer) => {
    if ('error' in answer) {
      reportError(answer.error, member);
      return answered(0, undefined);
    }
    onBytes?.(answer.bytes);
    const isGood = answer.status >= 200 && answer.status < 300;
    answered(answer.status, isGood ? answer.text : undefined);
  });
}

/** Handlers are looked up when it is their turn. */
function tell(target: Target, member: string, handler: 'onHTTPStatus' | 'onData', value: unknown): void {
  const call = () => {
    const fn = target[handler];
    return typeof fn === 'function' ? apply(fn as (value: unknown) => unknown, target, [value]) : undefined;
  };
  runHandler(`${handler} of ${member}`, call, undefined, []);
}
