import type { AppSettings } from './app-file.ts';

/**
 * Whether `paths`, a client's `readAccess` or `writeAccess`, cover a resource: a list of paths divided by `;`, each of
 * which stands for itself and everything below it. `/` is all, an empty list nothing. Slashes at the ends mean nothing,
 * and a container prefix (`mp4:`) is not part of a name (Server-Side ActionScript Language Reference, Client.readAccess).
 * With `isText` a path stands for all names that begin with it, as it did there: `pub` for `public` too.
 */
export function covers(paths: string, name: string, isText = false): boolean {
  const wanted = segmentsOf(name.replace(/^[a-z0-9]+:/i, '').replace(/\?.*$/s, ''));
  return paths.split(';').some((path) => {
    const text = path.trim();
    if (text === '') return false;
    const segments = segmentsOf(text);
    if (isText) return wanted.join('/').startsWith(segments.join('/'));
    return segments.length <= wanted.length && segments.every((segment, i) => segment === wanted[i]);
  });
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** What a resource is in, itself left out: `pub` of `pub/a`. */
export function folderOf(name: string): string {
  const path = name.replace(/\?.*$/s, '');
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** `covers` as the application's settings want it: of the resource itself or of its folder, by segments or as text. */
export function isCovered(
  paths: string,
  name: string,
  { folderAccess = false, strict = [] }: Pick<AppSettings, 'folderAccess' | 'strict'>,
): boolean {
  return covers(paths, folderAccess ? folderOf(name) : name, strict.includes('access'));
}
