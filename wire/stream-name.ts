import { StagewireError } from './errors.ts';

/** What a stream is called: its name, the container of its recording, and the query, which belongs to the application. */
export interface StreamName {
  /** Without prefix and query. */
  name: string;
  /** `flv`, `mp4`, `f4v`, `mp3`, `id3` or `raw`; empty when the name has no prefix. */
  container: string;
  query: string;
}

const MAX_NAME = 255;
// biome-ignore lint/suspicious/noControlCharactersInRegex: names with control characters are refused.
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\\]/;

/** `mp4:films/one.mp4?token=x` is the stream `films/one.mp4`. Throws `E_NAME`. */
export function parseStreamName(text: string): StreamName {
  const at = text.indexOf('?');
  const named = at < 0 ? text : text.slice(0, at);
  const [, container = '', name = named] = /^(flv|mp4|f4v|mp3|id3|raw):(.*)$/s.exec(named) ?? [];
  checkName(name, named);
  return { name, container, query: at < 0 ? '' : text.slice(at + 1) };
}

/** As `parseStreamName` has read it. */
export function streamNameText({ name, container, query }: StreamName): string {
  return `${container === '' ? '' : `${container}:`}${name}${query === '' ? '' : `?${query}`}`;
}

/** What `isResourceName` asks for, in words. */
export const NAME_RULE =
  'a name has 1 to 255 characters, no slash at its ends or beside another, no part that begins with a dot, no backslash and no control character';

/** Whether a stream or a shared object may have that name. */
export function isResourceName(name: string): boolean {
  return name.length <= MAX_NAME && name.split('/').every((segment) => !isBad(segment));
}

/** Throws `E_NAME` unless every segment is one. `whole`: what the peer wrote. */
export function checkName(name: string, whole: string): void {
  if (whole.length <= MAX_NAME && name.split('/').every((segment) => !isBad(segment))) return;
  throw new StagewireError(
    'E_NAME',
    'peer',
    `"${whole.slice(0, 80)}" is no name of an application or stream: ${NAME_RULE}`,
  );
}

function isBad(segment: string): boolean {
  return segment === '' || segment.startsWith('.') || CONTROLS.test(segment);
}
