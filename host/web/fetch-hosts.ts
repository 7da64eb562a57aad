import { printable, StagewireError } from '../base/errors.ts';
import { HostList, hostOf, isLocalName } from '../base/host-list.ts';

/** Where the scripts of an application may fetch from. */
export class FetchHosts {
  readonly #hosts: HostList;

  /** Leaves out what is no host. */
  constructor(entries: readonly string[]) {
    this.#hosts = new HostList(entries);
  }

  /** Throws `E_FETCH_DENIED`, which says what to do, unless the list has the host of `url` with its port. */
  check(url: URL): void {
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw denied(url, `only http and https can be fetched, not ${printable(url.protocol, 40)}`);
    if (url.username !== '' || url.password !== '')
      throw denied(url, 'a user or password in the URL is refused: send an Authorization header');

    const host = hostOf(url);
    if (!this.#hosts.has(host, portOf(url), url.port === '')) {
      const entry = printable(url.port === '' ? host : `${host}:${url.port}`, 300);
      const how = !this.#hosts.isEmpty ? '' : `: { "fetch": { "hosts": ["${entry}"] } }`;
      throw denied(url, `the host is not listed: add "${entry}" to fetch.hosts in app.json${how}`);
    }
    if (isLocalName(host))
      throw denied(
        url,
        `"${host}" is this machine: list its address, such as "127.0.0.1", and fetch from that`,
      );
  }
}

export function denied(url: URL, why: string): StagewireError {
  return new StagewireError('E_FETCH_DENIED', 'app', `fetch ${describeUrl(url)}: ${why}`);
}

/** A URL fit for a message: without what may be secret. */
export function describeUrl({ protocol, host, pathname }: URL): string {
  return printable(host === '' ? protocol : `${protocol}//${host}${pathname}`, 200);
}

function portOf({ protocol, port }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
