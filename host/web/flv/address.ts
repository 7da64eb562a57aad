import type { IncomingMessage } from 'node:http';
import { StagewireError } from '../../../wire/errors.ts';
import { parseStreamName, type StreamName } from '../../../wire/stream-name.ts';
import { parseApp } from '../../rtmp/names.ts';

const SUFFIX = '.flv';
/** The server's own addresses begin with it; an application of that name has no clients here. */
export const RESERVED = '/api/';

export interface FlvAddress {
  app: string;
  instance: string;
  stream: StreamName;
  query: string;
}

/**
 * Host and path that a request is for. Its target may be a whole URL (RFC 9112, section 3.2.2), and then it is no matter
 * what its `Host` says.
 */
export function targetOf({ url = '', headers }: IncomingMessage): { host: string; path: string } {
  const whole = /^https?:\/\/(?:[^/?#@]*@)?([^/?#]+)(.*)$/i.exec(url);
  return whole ? { host: whole[1]!, path: whole[2]! } : { host: headers.host ?? '', path: url };
}

/** Whether a request's path is that of a stream: `/<app>/<instance>/<stream>.flv`. */
export function isFlvPath(pathAndQuery: string): boolean {
  const [path] = splitQuery(pathAndQuery);
  return (
    path.endsWith(SUFFIX) && path.startsWith('/') && !path.startsWith(RESERVED) && path.lastIndexOf('/') > 0
  );
}

/**
 * Application, instance and stream of such a path; without an instance it is the default one. A slash in the name
 * of a stream is written `%2F`. Throws `E_NAME` for what can be none.
 */
export function parseFlvPath(pathAndQuery: string): FlvAddress {
  const [path, query] = splitQuery(pathAndQuery);
  const at = path.lastIndexOf('/');
  const where = decodePath(path.slice(1, at));
  const stream = parseStreamName(decodePath(path.slice(at + 1, -SUFFIX.length)));
  if (where.startsWith('/') || where.endsWith('/')) throw noName(path);
  return { ...parseApp(where, ''), query, stream: { ...stream, query } };
}

export function splitQuery(target: string): [path: string, query: string] {
  const at = target.indexOf('?');
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}

/** A path as RTMP clients would write it: in names that they know, a question mark begins the query. Throws `E_NAME`. */
export function decodePath(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw noName(text);
  }
  if (decoded.includes('?')) throw noName(text);
  return decoded;
}

function noName(text: string): StagewireError {
  return new StagewireError(
    'E_NAME',
    'peer',
    `"${text.slice(0, 80)}" is no name of an application or stream`,
  );
}
