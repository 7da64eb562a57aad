import { checkName } from '../../wire/stream-name.ts';
import { printable, StagewireError } from '../base/errors.ts';
import { hostOf } from '../base/host-list.ts';
import { trim } from '../base/trim.ts';
import { DEFAULT_INSTANCE } from '../rtmp/names.ts';

const MAX_URI = 32 * 1024;
const PORTS = { 'rtmp:': 1935, 'rtmps:': 443 } as const;

/** Where a script connects to. */
export interface LinkAddress {
  /** Undefined: this server. */
  server: { host: string; port: number; isUsualPort: boolean; isSecure: boolean } | undefined;
  app: string;
  instance: string;
  query: string;
}

/**
 * `rtmp://host[:port]/app[/instance][?query]`, `rtmps://...`, or without a host, `rtmp:/app/instance`, on this server.
 * Throws `E_CONNECT` with what is wrong; nothing of a query is in it, which may be secret.
 */
export function parseLinkAddress(uri: string): LinkAddress {
  if (uri.length > MAX_URI) throw refused(`a URI of ${uri.length} characters; ${MAX_URI} are allowed`);
  const [, scheme, authority, path = '', query = ''] =
    /^(rtmps?:)(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?/i.exec(uri) ?? [];
  const shown = printable(uri.replace(/[?#].*/s, ''), 200);
  if (scheme === undefined)
    throw refused(`"${shown}" is no address such as rtmp://host/app/instance or rtmp:/app/instance`);
  const trimmed = trim(path, '/');
  try {
    checkName(trimmed, path);
  } catch (error) {
    throw refused(`"${shown}": ${(error as Error).message}`);
  }
  const [app = '', ...rest] = trimmed.split('/');
  const instance = rest.join('/');
  if (authority === undefined || authority === '')
    return { server: undefined, app, instance: instance || DEFAULT_INSTANCE, query };
  const url = URL.parse(`http://${authority}/`);
  // As `http:` it loses port 80, and as `rtmp:` its names are not what DNS knows.
  const raw = URL.parse(`rtmp://${authority}/`);
  if (!url || !raw) throw refused(`"${shown}": "${printable(authority, 100)}" is no host`);
  if (url.username !== '' || url.password !== '')
    throw refused('a user or password in the address is refused: send it as an argument of connect');
  const isSecure = scheme.toLowerCase() === 'rtmps:';
  const usual = PORTS[isSecure ? 'rtmps:' : 'rtmp:'];
  const port = raw.port === '' ? usual : Number(raw.port);
  const server = { host: hostOf(url), port, isUsualPort: port === usual, isSecure };
  return { server, app, instance, query };
}

export function refused(why: string): StagewireError {
  return new StagewireError('E_CONNECT', 'app', `NetConnection.connect: ${why}`);
}
