import { MAX_ASK_BYTES } from './asks.ts';

/** How `File.open` opens, as flags. `append` writes at the end, `create` empties what is there. */
export const OpenFlag = { read: 1, write: 2, append: 4, create: 8 } as const;

/** Of one read or write: question and answer are bounded, their heads included. */
export const MAX_FILE_CHUNK = MAX_ASK_BYTES - 1024;
