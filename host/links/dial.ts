import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describeError, printable, StagewireError } from '../base/errors.ts';
import { type HostList, isLocalName, withoutBrackets } from '../base/host-list.ts';
import { checkedLookup, type Lookup } from '../base/lookup.ts';
import { type LinkAddress, refused } from './address.ts';

type Server = NonNullable<LinkAddress['server']>;

/** Throws `E_CONNECT`, which says what to do, unless the list has that server. */
export function checkServer({ host, port, isUsualPort }: Server, hosts: HostList): void {
  if (isLocalName(host))
    throw refused(`"${host}" is this machine: list its address, such as "127.0.0.1", and connect to that`);
  if (!hosts.has(host, port, isUsualPort)) {
    const entry = printable(isUsualPort ? host : `${host}:${port}`, 300);
    const how = hosts.isEmpty ? `: { "connect": { "hosts": ["${entry}"] } }` : '';
    throw refused(`the host is not listed: add "${entry}" to connect.hosts in app.json${how}`);
  }
}

/** Opens a socket to a server that was checked, with TLS where the address asks for it. Rejects with `E_CONNECT`. */
export function dial({ host, port, isSecure }: Server, lookup: Lookup): Promise<Socket> {
  const { signal } = lookup;
  const name = withoutBrackets(host);
  return new Promise((resolve, reject) => {
    const denied = (why: string) => refused(`${why}: list the address itself and connect to that`);
    const to = { host: name, port, lookup: checkedLookup(lookup, denied) };
    const socket = isSecure
      ? connectTls({ ...to, servername: isIP(name) === 0 ? name : '', rejectUnauthorized: true })
      : connect(to);
    const fail = (error: unknown) => {
      socket.destroy();
      const isOurs = error instanceof StagewireError;
      reject(isOurs ? error : refused(`${printable(host, 200)}:${port}: ${reasonOf(error)}`));
    };
    const stop = () => fail(signal.reason);
    socket.once('error', fail);
    signal.addEventListener('abort', stop, { once: true });
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** Some errors of sockets have a code and no text: those of several addresses that were tried. */
function reasonOf(error: unknown): string {
  const { code = '', message = '' } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return printable(message === '' ? code || describeError(error) : message, 300);
}
