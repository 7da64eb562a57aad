import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { isSameOrigin } from '../access.ts';

/** An entry of `cors` in `app.json`. */
export const ORIGIN = /^(?:\*|[a-z][a-z0-9+.-]*:\/\/[^\s/?#,\\*@A-Z]+)$/;

/** Whether pages of that origin may open a WebSocket. Browsers always name one, others need not. */
export function mayConnect(origin: string | undefined, host: string, origins: readonly string[]): boolean {
  return origin === undefined || isSameOrigin(origin, host) || isListed(origin, origins);
}

/** What tells a browser that pages of the request's origin may read the answer; nothing for those that may not. */
export function corsHeaders(
  { origin }: IncomingHttpHeaders,
  origins: readonly string[],
): OutgoingHttpHeaders {
  if (origins.includes('*')) return { 'Access-Control-Allow-Origin': '*' };
  if (origins.length === 0) return {};
  const isAllowed = origin !== undefined && isListed(origin, origins);
  return { Vary: 'Origin', ...(isAllowed && { 'Access-Control-Allow-Origin': origin }) };
}

/** The answer to a browser that asks first (Fetch standard, section 3.3.6). */
export function preflightHeaders(
  headers: IncomingHttpHeaders,
  origins: readonly string[],
  methods: string,
): OutgoingHttpHeaders {
  const cors = corsHeaders(headers, origins);
  if (!('Access-Control-Allow-Origin' in cors)) return cors;
  const wanted = headers['access-control-request-headers'];
  return {
    ...cors,
    'Access-Control-Allow-Methods': methods,
    ...(wanted !== undefined &&
      /^[\w\-, ]{1,1000}$/.test(wanted) && { 'Access-Control-Allow-Headers': wanted }),
    'Access-Control-Max-Age': '600',
  };
}

function isListed(origin: string, origins: readonly string[]): boolean {
  return origins.includes('*') || origins.includes(origin);
}
