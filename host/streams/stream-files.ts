import type { StreamName } from '../../wire/stream-name.ts';

/** What becomes of recordings: an MP4 beside the FLV, or in its place. */
export const MOVIE_MODES = ['mp4', 'mp4-only'] as const;
export type MovieMode = (typeof MOVIE_MODES)[number];

const MOVIE_ENDINGS = ['.mp4', '.f4v', '.m4v', '.mov', '.m4a'];
const ENDINGS_OF: Readonly<Record<string, readonly string[]>> = {
  mp4: MOVIE_ENDINGS,
  f4v: ['.f4v'],
  mp3: ['.mp3'],
};
/** Names with these endings are files as they are. */
const ENDINGS = ['.flv', ...MOVIE_ENDINGS, '.mp3'];

/** Of files that have that container. */
export function endingsOf(container: string): readonly string[] {
  return ENDINGS_OF[container] ?? ['.flv'];
}

/** What a name may stand for, in order (the reference's section 16.3). */
export function filesFor({ name, container }: StreamName): string[] {
  switch (container) {
    case 'mp4':
    case 'f4v':
      return [name, `${name}.mp4`, `${name}.f4v`];
    case 'mp3':
    case 'id3':
      return [withEnding(name, '.mp3')];
    case 'flv':
      return [withEnding(name, '.flv')];
    default: {
      return isMediaFile(name) ? [name, `${name}.flv`] : [`${name}.flv`];
    }
  }
}

/**
 * What all names of one recording have in common: `show` of `show`, `show.flv`, and what `mp4:show.mp4` names. A recording may
 * have one ending behind another, so all of them go.
 */
export function titleOf(name: string): string {
  let title = name;
  for (;;) {
    const ending = ENDINGS.find((one) => title.toLowerCase().endsWith(one));
    if (ending === undefined) return title;
    title = title.slice(0, -ending.length);
  }
}

/** By its name. */
export function isMediaFile(file: string): boolean {
  return ENDINGS.some((ending) => file.toLowerCase().endsWith(ending));
}

/** The name that plays a file. */
export function nameOf(file: string): string {
  if (/\.flv$/i.test(file)) return file.slice(0, -4);
  return /\.mp3$/i.test(file) ? `mp3:${file.slice(0, -4)}` : `mp4:${file}`;
}

/** The FLV file that a stream is recorded to; undefined for containers that nothing is recorded as. */
export function recordingFile(stream: StreamName): string | undefined {
  switch (stream.container) {
    case '':
    case 'flv':
      return withEnding(stream.name, '.flv');
    case 'mp4':
    case 'f4v':
      return `${movieFile(stream.name)}.flv`;
    default:
      return undefined;
  }
}

/** The MP4 that is made of a recording, and whether it is all that remains; undefined when none is made. */
export function movieOf(
  { name, container }: StreamName,
  mode: MovieMode | undefined,
): { file: string; isAlone: boolean } | undefined {
  if (container === 'mp4' || container === 'f4v') return { file: movieFile(name), isAlone: true };
  if (mode === undefined || (container !== '' && container !== 'flv')) return undefined;
  return { file: movieFile(name.replace(/\.flv$/i, '')), isAlone: mode === 'mp4-only' };
}

function movieFile(name: string): string {
  return MOVIE_ENDINGS.some((ending) => name.toLowerCase().endsWith(ending)) ? name : `${name}.mp4`;
}

function withEnding(name: string, ending: string): string {
  return name.toLowerCase().endsWith(ending) ? name : name + ending;
}
