import type { Readable } from 'node:stream';

/** Code, its map and what else belongs to one answer: the host keeps it in one piece. */
const MAX_ANSWER_MB = 64;
/** Who imports whom, as JSON, which holds up the host while it is parsed. */
const MAX_IMPORTS_MB = 8;

/** Errors, and warnings: each is some thirty texts to decode. */
const MAX_MESSAGES = 1000;

/** In an answer the key, its length before it, and the type of what follows: bytes (4) or a list (5), then how many. */
const BOUNDS = [
  {
    key: Buffer.from('\x08\0\0\0metafile\x04', 'latin1'),
    most: MAX_IMPORTS_MB * 1024 * 1024,
    why: `the list of its imports measures more than ${MAX_IMPORTS_MB} MB`,
  },
  {
    key: Buffer.from('\x06\0\0\0errors\x05', 'latin1'),
    most: MAX_MESSAGES,
    why: `it has more than ${MAX_MESSAGES} errors`,
  },
  {
    key: Buffer.from('\x08\0\0\0warnings\x05', 'latin1'),
    most: MAX_MESSAGES,
    why: `it has more than ${MAX_MESSAGES} warnings`,
  },
];
const LENGTH_BYTES = 4;
const LONGEST_KEY = Math.max(...BOUNDS.map(({ key }) => key.length));

/**
 * Watches what esbuild's process answers: a length and so many bytes, again and again. What is in it is the author's,
 * each of a million errors quotes its line, and all of it would be decoded at once. `onExcess` is told why once.
 */
export function watchAnswers(answers: Readable, onExcess: (why: string) => void): void {
  /** The length of an answer as far as it has been read, then what is missing of the answer. */
  let head = Buffer.alloc(0);
  let missing = 0;
  /** The end of what came before: what is looked for may begin there. */
  let before = Buffer.alloc(0);

  const isTooLong = (bytes: Buffer): boolean => {
    for (let at = 0; at < bytes.length; ) {
      if (missing > 0) {
        const taken = Math.min(missing, bytes.length - at);
        missing -= taken;
        at += taken;
        continue;
      }
      const part = bytes.subarray(at, at + LENGTH_BYTES - head.length);
      head = Buffer.concat([head, part]);
      at += part.length;
      if (head.length < LENGTH_BYTES) return false;
      missing = head.readUInt32LE();
      head = Buffer.alloc(0);
      if (missing > MAX_ANSWER_MB * 1024 * 1024) return true;
    }
    return false;
  };
  const excessIn = (bytes: Buffer): string | undefined => {
    const text = Buffer.concat([before, bytes]);
    before = text.subarray(Math.max(0, text.length - LONGEST_KEY - LENGTH_BYTES + 1));
    for (const { key, most, why } of BOUNDS) {
      const size = key.length + LENGTH_BYTES;
      for (let at = text.indexOf(key); at >= 0 && at + size <= text.length; at = text.indexOf(key, at + 1)) {
        if (text.readUInt32LE(at + key.length) > most) return why;
      }
    }
    return undefined;
  };
  const watch = (bytes: Buffer) => {
    const why = isTooLong(bytes) ? `what came of it measures more than ${MAX_ANSWER_MB} MB` : excessIn(bytes);
    if (why === undefined) return;
    answers.off('data', watch);
    onExcess(why);
  };
  answers.on('data', watch);
}
