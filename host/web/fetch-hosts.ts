import { isIP } from 'node:net';
import { printable, StagewireError } from '../base/errors.ts';

/** One entry of `fetch.hosts` in `app.json`. */
interface HostRule {
  /** Normalised as URLs are: lower case, Punycode, IPv6 in brackets, no dot at the end. */
  host: string;
  /** `*.example.org`: any name below, not `example.org` itself. */
  isWildcard: boolean;
  /** Undefined: the usual port of the scheme. */
  port: number | undefined;
}

/** Where the scripts of an application may fetch from. */
export class FetchHosts {
  readonly #rules: readonly HostRule[];

  /** Leaves out what is no host. */
  constructor(entries: readonly string[]) {
    this.#rules = entries.map(parseHostRule).filter((rule) => rule !== undefined);
  }

  /** Throws `E_FETCH_DENIED`, which says what to do, unless the list has the host of `url` with its port. */
  check(url: URL): void {
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw denied(url, `only http and https can be fetched, not ${printable(url.protocol, 40)}`);
    if (url.username !== '' || url.password !== '')
      throw denied(url, 'a user or password in the URL is refused: send an Authorization header');

    const host = hostOf(url);
    if (!this.#rules.some((rule) => matches(rule, host, url))) {
      const entry = printable(url.port === '' ? host : `${host}:${url.port}`, 300);
      const how = this.#rules.length > 0 ? '' : `: { "fetch": { "hosts": ["${entry}"] } }`;
      throw denied(url, `the host is not listed: add "${entry}" to fetch.hosts in app.json${how}`);
    }
    // Such names never leave this machine (RFC 6761, section 6.3), whatever a resolver says.
    if (host === 'localhost' || host.endsWith('.localhost'))
      throw denied(
        url,
        `"${host}" is this machine: list its address, such as "127.0.0.1", and fetch from that`,
      );
  }
}

/** Whether `fetch.hosts` may have this entry: `api.example.com`, `*.example.org:8443`, `127.0.0.1`, `[::1]:9000`. */
export function isFetchHost(entry: string): boolean {
  return parseHostRule(entry) !== undefined;
}

/** The host to connect to: a name without a dot at its end, or an address, IPv6 in brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/\.$/, '');
}

/** `[::1]` as sockets write it; whatever has no brackets unchanged. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

export function denied(url: URL, why: string): StagewireError {
  return new StagewireError('E_FETCH_DENIED', 'app', `fetch ${describeUrl(url)}: ${why}`);
}

/** A URL fit for a message: without what may be secret. */
export function describeUrl({ protocol, host, pathname }: URL): string {
  return printable(host === '' ? protocol : `${protocol}//${host}${pathname}`, 200);
}

function matches({ host, isWildcard, port }: HostRule, wanted: string, url: URL): boolean {
  // A URL has no port when it is the usual one of its scheme.
  const isPort = port === undefined ? url.port === '' : portOf(url) === port;
  return isPort && (isWildcard ? wanted.endsWith(`.${host}`) : wanted === host);
}

function portOf({ protocol, port }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** Undefined for what is no host. */
function parseHostRule(entry: string): HostRule | undefined {
  const text = isIP(entry) === 6 ? `[${entry}]` : entry;
  const [, wildcard, name, digits] =
    /^(\*\.)?(\[[^[\]]+\]|[^:[\]/\\?#@\s%*]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const url = URL.parse(`http://${name}/`);
  if (name === undefined || !url) return undefined;

  const host = hostOf(url);
  const isWildcard = wildcard !== undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === '' || host.startsWith('.') || (isWildcard && isIP(withoutBrackets(host)) !== 0))
    return undefined;
  if (port !== undefined && (port < 1 || port > 0xffff)) return undefined;
  return { host, isWildcard, port };
}
