/**
 * Whether a path as `application.clearSharedObjects` and `clearStreams` take it stands for that name: `/` for every name, otherwise the
 * name itself, or one with `?` and `*` in its last element (Server-Side ActionScript Language Reference). What such a
 * pattern matches may be a folder: it stands for everything in it.
 */
export function matches(path: string, name: string): boolean {
  if (path.length > MAX_PATH) return false; // no name is that long
  const elements = path.replace(/^\//, '').split('/');
  if (elements.length === 1 && elements[0] === '') return true;
  const last = elements.pop()!;
  const names = name.split('/');
  if (elements.some((element, index) => element !== names[index])) return false;
  if (!/[?*]/.test(last)) return names.length === elements.length + 1 && names.at(-1) === last;
  const own = names[elements.length];
  return own !== undefined && isLike(last, own);
}

/** As `isResourceName` has it, and a slash. */
const MAX_PATH = 256;

/** Without going back further than to the last `*`: a pattern of many of them must not take long. */
function isLike(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let from = 0;
  for (let index = 0; index < text.length; ) {
    if (pattern[at] === '*') {
      star = at++;
      from = index;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[index])) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++from;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
