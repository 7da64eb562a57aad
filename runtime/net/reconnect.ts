import { findIn, hasOwn, randomNumber, sliceOf } from '../shared.ts';

const FIRST_MS = 250;
const MOST_MS = 10_000;
/** Up to so much more or less, so that those who have lost the same server do not all come at once. */
const JITTER = 0.25;

/** A connection that has lasted so long was a good one: waiting begins anew. */
export const GOOD_MS = MOST_MS;

/** How long to wait before an attempt: 0.25 s before the first (0), twice as long before each other, 10 s at most. */
export function retryMs(attempt: number): number {
  let ms = FIRST_MS;
  for (let i = 0; i < attempt && ms < MOST_MS; i++) ms *= 2;
  if (ms > MOST_MS) ms = MOST_MS;
  return ms * (1 - JITTER + 2 * JITTER * randomNumber());
}

/**
 * Where a server asks to connect again (Enhanced RTMP v2, `tcUrl` of `NetConnection.Connect.ReconnectRequest`): an
 * address, `//host/app` or `/app` of where it is now. Without one, and with what is none, the same address.
 */
export function addressOf(info: unknown, now: string): string {
  const to = textIn(info, 'tcUrl');
  if (findIn(to, 'rtmp:', 0) === 0 || findIn(to, 'rtmps:', 0) === 0) return to;
  if (findIn(to, '/', 0) !== 0) return now;
  const scheme = sliceOf(now, 0, findIn(now, ':', 0) + 1);
  const rest = sliceOf(now, scheme.length);
  if (findIn(to, '//', 0) === 0) return `${scheme}${to}`;
  if (findIn(rest, '//', 0) !== 0) return `${scheme}${to}`;
  const path = findIn(rest, '/', 2);
  return `${scheme}${path < 0 ? rest : sliceOf(rest, 0, path)}${to}`;
}

/** A text of an info object, which may be anything: the other side sent it. Empty without. */
export function textIn(info: unknown, key: string): string {
  if (typeof info !== 'object' || info === null || !hasOwn(info, key)) return '';
  const value = (info as Record<string, unknown>)[key];
  return typeof value === 'string' ? value : '';
}
