import { StagewireError } from '../base/errors.ts';

const MAX_NAME = 255;
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
  const segments = path.replace(/^\/+|\/+$/g, '').split('/');
  for (const segment of segments) checkSegment(segment, path);
  const [name = '', ...rest] = segments;
  return { app: name, instance: rest.length > 0 ? rest.join('/') : DEFAULT_INSTANCE, query };
}

/** A stream's name without container prefix, and the query after `?`, which belongs to the application. */
export function parseStreamName(text: string): { name: string; query: string } {
  const [name, query] = cut(text, '?');
  const bare = name.replace(/^(?:flv|mp4|f4v|mp3|id3|raw):/, '');
  for (const segment of bare.split('/')) checkSegment(segment, name);
  return { name: bare, query };
}

/** Whether a shared object may have that name. */
export function isResourceName(name: string): boolean {
  return name.length <= MAX_NAME && name.split('/').every((segment) => !isBad(segment));
}

function pathOf(url: string): string {
  return url.replace(/^[a-z]+:\/\/[^/]*/i, '');
}

function cut(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: names with control characters are refused.
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\\]/;

function isBad(segment: string): boolean {
  return segment === '' || segment.startsWith('.') || CONTROLS.test(segment);
}

function checkSegment(segment: string, whole: string): void {
  if (isBad(segment) || whole.length > MAX_NAME) {
    throw new StagewireError(
      'E_NAME',
      'peer',
      `"${whole.slice(0, 80)}" is no name of an application or stream`,
    );
  }
}
