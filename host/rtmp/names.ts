import { checkName } from '../../wire/stream-name.ts';
import { trim } from '../base/trim.ts';

export const DEFAULT_INSTANCE = '_definst_';

export interface AppAddress {
  app: string;
  instance: string;
  query: string;
}

/**
 * Splits the `app` of a connect command: `live/room1?token=x` is application `live`, instance `room1`
 * (RTMP 1.0, section 7.2.1.1). An empty one is looked for in `tcUrl`.
 */
export function parseApp(app: string, tcUrl: string): AppAddress {
  const [path, query] = cut(app !== '' ? app : pathOf(tcUrl), '?');
  const trimmed = trim(path, '/');
  checkName(trimmed, path);
  const [name = '', ...rest] = trimmed.split('/');
  return { app: name, instance: rest.length > 0 ? rest.join('/') : DEFAULT_INSTANCE, query };
}

function pathOf(url: string): string {
  return url.replace(/^[a-z]+:\/\/[^/]*/i, '');
}

function cut(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
