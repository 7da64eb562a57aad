import { isIP } from 'node:net';

/** One entry of a list of hosts in `app.json`. */
interface HostRule {
  /** Normalised as URLs are: lower case, Punycode, IPv6 in brackets, no dot at the end. */
  host: string;
  /** `*.example.org`: any name below, not `example.org` itself. */
  isWildcard: boolean;
  /** Undefined: the usual port of the scheme. */
  port: number | undefined;
}

/** Hosts that an application may reach. */
export class HostList {
  readonly #rules: readonly HostRule[];

  /** Leaves out what is no host. */
  constructor(entries: readonly string[]) {
    this.#rules = entries.map(parseHostRule).filter((rule) => rule !== undefined);
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** `host` as `hostOf` has it. An entry without a port stands for the usual one. */
  has(host: string, port: number, isUsualPort: boolean): boolean {
    return this.#rules.some((rule) => {
      const isPort = rule.port === undefined ? isUsualPort : rule.port === port;
      return isPort && (rule.isWildcard ? host.endsWith(`.${rule.host}`) : host === rule.host);
    });
  }
}

/** Whether a list may have this entry: `api.example.com`, `*.example.org:8443`, `127.0.0.1`, `[::1]:9000`. */
export function isHostEntry(entry: string): boolean {
  return parseHostRule(entry) !== undefined;
}

/** Such names never leave this machine (RFC 6761, section 6.3), whatever a resolver says. */
export function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

/** The host to connect to: a name without a dot at its end, or an address, IPv6 in brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/\.$/, '');
}

/** `[::1]` as sockets write it; whatever has no brackets unchanged. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
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
