import { timingSafeEqual } from 'node:crypto';

/** What is known of a request before it is let through. */
export interface AccessRequest {
  /** The peer's address. */
  readonly address: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  /** Somebody passed it on: it has `Via`, `Forwarded`, `X-Forwarded-For` or the like. */
  readonly isForwarded: boolean;
}

/**
 * Who may see more than `/healthz`: a peer on this machine that also asked for it by a loopback name (a page of
 * another site may point its own name at 127.0.0.1) and not for somebody else (as a proxy, or the `fetch` of a script,
 * does), or whoever has the administrator's token. A page of another
 * origin never. Returns why not, or undefined.
 */
export function whyRefused(request: AccessRequest, token: string | undefined): string | undefined {
  const { address, host = '', origin, authorization, isForwarded } = request;
  if (origin !== undefined && !isSameOrigin(origin, host))
    return `the origin ${origin.slice(0, 100)} is not this server`;
  if (token !== undefined && authorization !== undefined) {
    return isEqual(authorization, `Bearer ${token}`) ? undefined : 'the token is wrong';
  }
  if (!isLoopbackAddress(address)) return 'only this machine may ask, or a bearer token (--admin-token-file)';
  if (isForwarded)
    return 'it comes from elsewhere, through this machine: a bearer token is needed (--admin-token-file)';
  if (!isLoopbackName(host))
    return `"${host.slice(0, 100)}" is not a loopback name: ask for 127.0.0.1 or localhost`;
  return undefined;
}

export function isSameOrigin(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

function isLoopbackAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '');
  return plain === '::1' || plain.startsWith('127.');
}

function isLoopbackName(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

function isEqual(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
