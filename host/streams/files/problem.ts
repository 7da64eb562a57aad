export type FileProblemKind = 'not-found' | 'structure' | 'no-track' | 'io' | 'busy';

/** Why a media file cannot be opened or read. */
export class FileProblem extends Error {
  override name: string = 'FileProblem';
  readonly kind: FileProblemKind;

  constructor(kind: FileProblemKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** What the system says of a file, as one of ours. */
export function fromSystem(error: unknown): FileProblem {
  if (error instanceof FileProblem) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new FileProblem(kinds[code ?? ''] ?? 'io', code ?? message);
}

const kinds: Partial<Record<string, FileProblemKind>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EISDIR: 'not-found',
  // The path is resolved: a symbolic link was put there since.
  ELOOP: 'not-found',
  // A socket, or a device that is not there.
  ENXIO: 'not-found',
  EMFILE: 'busy',
  ENFILE: 'busy',
  ENOMEM: 'busy',
};
