/**
 * Blocking requests: what a classic script wants to know before its next statement. The isolate writes a question into
 * memory that it shares with its core, calls `notify` and sleeps; the core passes the question on to the host and
 * writes the answer beside it. One at a time, each with a number: an answer that comes too late answers nothing.
 *
 * Both are AMF0: the question a name and arguments, the answer `true` and a value, or `false`, a message and a code.
 */

/**
 * The words (32 bits each) at the start of that memory. `asked` and `answered` are numbers of questions; `length` is
 * the size of what follows the header, of the question or of its answer; `to` says who is to answer.
 */
export const AskHeader = { asked: 0, answered: 1, length: 2, to: 3 } as const;
export const ASK_HEADER_BYTES = 16;
/**
 * The core has the code of the parts of the runtime that few scripts need, and what takes no more than Node itself:
 * addresses, hashes and signatures. All else the host knows, and may answer as after all that the turn has sent so far.
 */
export const AskTo = { host: 0, core: 1, hostAfterAll: 2 } as const;
/** Of a question and of an answer, without the header. */
export const MAX_ASK_BYTES = 1024 * 1024;
/** Characters of an address, and of what it is made from: a longer one would keep the core from its other isolates. */
export const MAX_URL_CHARACTERS = 65_536;
/** Of a token and of the keys that it may be signed with: all of it is read in the core. */
export const MAX_TOKEN_CHARACTERS = 16_384;
export const MAX_KEY_CHARACTERS = 65_536;
/** What is hashed at once, the key of an HMAC included; the rest of a question is its name and the algorithm's. */
export const MAX_HASHED_BYTES = MAX_ASK_BYTES - 1024;
