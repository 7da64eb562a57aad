/**
 * Who must act on an error: the remote peer (its connection ends), the application's author
 * (it appears in the author's terminal with file and line), or the host (a bug or the machine).
 */
export type Blame = 'peer' | 'app' | 'host';

/** Every deliberate error of Stagewire: a stable code, who must act, and a message with the value seen. */
export class StagewireError extends Error {
  override name: string = 'StagewireError';
  readonly code: string;
  readonly blame: Blame;

  constructor(code: string, blame: Blame, message: string) {
    super(message);
    this.code = code;
    this.blame = blame;
  }
}

// Applications get hold of the class by way of what they catch: what it extends must stay what it is.
Object.freeze(StagewireError);
