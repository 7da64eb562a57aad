/**
 * Text without these characters at its ends. A regular expression for the end tries each run of them in the middle anew from
 * each of its characters: a run that a peer has made long takes it minutes.
 */
export function trim(text: string, characters: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && characters.includes(text[from]!)) from++;
  while (to > from && characters.includes(text[to - 1]!)) to--;
  return text.slice(from, to);
}
