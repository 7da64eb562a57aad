import { trim } from '../../base/trim.ts';
import type { TunnelRequestKind } from './tunnel.ts';

/** Where a request goes: `/open/1`, `/send/ID/NUMBER`, `/idle/ID/NUMBER`, `/close/ID/NUMBER`, `/fcs/ident2`. */
export type TunnelPath =
  | { at: 'open' }
  | { at: 'ident' }
  | { at: TunnelRequestKind; id: string; number: number };

export interface RequestHead {
  path: TunnelPath;
  bodyBytes: number;
  /** The connection stays for the next request. */
  isKept: boolean;
  /** The client sends the body when it is told to. */
  expectsGo: boolean;
}

/** Why a request gets nothing else. */
export const refusals = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  411: 'Length Required',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
} as const;

export type RefusalStatus = keyof typeof refusals;

const KINDS = ['open', 'send', 'idle', 'close', 'fcs'] as const;
const REQUEST_LINE = /^([A-Z]{1,20}) (\S+) HTTP\/1\.([01])$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/;
/** Longer ones ask for something else. */
const MAX_TUNNEL_LINE = 300;

/** Whether a request that begins so is one of a tunnel; undefined when more of it is needed. */
export function isOfTunnel(beginning: string): boolean | undefined {
  const end = beginning.indexOf('\r\n');
  if (end < 0 && beginning.length < MAX_TUNNEL_LINE) return undefined;
  const [, method, target = ''] = REQUEST_LINE.exec(end < 0 ? '' : beginning.slice(0, end)) ?? [];
  // With another method only what can be nothing else: an application may be called `send`, too.
  return method === 'POST'
    ? KINDS.some((kind) => target.startsWith(`/${kind}/`))
    : parsePath(target) !== undefined;
}

/** The head of a request, without the empty line; or why it is refused. */
export function parseHead(text: string): RequestHead | RefusalStatus {
  const [line = '', ...lines] = text.split('\r\n');
  const [, method, target = '', minor] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined) return 400;
  if (method !== 'POST') return 405;
  const fields = new Map<string, string>();
  for (const each of lines) {
    const [, name, value] = FIELD.exec(each) ?? [];
    if (name === undefined || value === undefined) return 400;
    const key = name.toLowerCase();
    if (key === 'content-length' && fields.has(key)) return 400;
    fields.set(key, trim(value, ' \t'));
  }
  if (fields.has('transfer-encoding')) return 411;
  const length = fields.get('content-length') ?? '0';
  const path = parsePath(target);
  if (!path || !/^\d{1,15}$/.test(length)) return 400;
  const connection = fields.get('connection')?.toLowerCase() ?? '';
  const isKept = minor === '1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection);
  const expectsGo = fields.get('expect')?.toLowerCase() === '100-continue';
  return { path, bodyBytes: Number(length), isKept, expectsGo };
}

function parsePath(target: string): TunnelPath | undefined {
  if (/^\/open\/\d{1,10}$/.test(target)) return { at: 'open' };
  if (/^\/fcs\/ident\d?$/.test(target)) return { at: 'ident' };
  const [, at, id = '', number] = /^\/(send|idle|close)\/([\w-]{1,64})\/(\d{1,10})$/.exec(target) ?? [];
  return at === undefined ? undefined : { at: at as TunnelRequestKind, id, number: Number(number) };
}
