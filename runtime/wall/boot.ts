/** How the core and the isolate meet: the entry, and the memory that both share. */

/** What an isolate is told when it boots. */
export interface BootOptions {
  /** `app/instance`. */
  name: string;
  server: string;
  hostname: string;
  /** `application.config`. */
  config: Readonly<Record<string, unknown>>;
  /** The most that `client.setBandwidthLimit` may set, bytes per second; 0 for no limit. */
  bandwidthCap: number;
  amfDepth: number;
  amfValues: number;
  maxTimers: number;
  maxOutstandingInvokes: number;
  maxFetches: number;
  maxFetchBytes: number;
  /** Of one call or broadcast to clients. */
  maxArgumentBytes: number;
  /** What one entry may print. */
  mostPrintedBytes: number;
  /** After this long the entry ends early, so that each event has the rest of the time limit to itself. */
  yieldAfterMs: number;
  /** The core runs what the script loads. Default false: `load` throws. */
  canLoad?: boolean;
  /** Whether it is a script as Flash Media Server had them. Default false. */
  isClassic?: boolean;
}

/** A call of `load` by the script, and where that was. */
export interface Load {
  name: string;
  stack: string;
}

/**
 * The runtime's bundle has this as its value. Called once by the core, before any application code, with memory that
 * both sides share. `notify` tells the core that `asks` holds a question (asks.ts).
 */
export type Boot = (
  input: SharedArrayBuffer,
  output: SharedArrayBuffer,
  asks: SharedArrayBuffer,
  notify: () => void,
  optionsJson: string,
) => Entries;

/** The ways into the isolate. */
export interface Entries {
  enter: Enter;
  /** While it boots, after the top level has run: the file that is to run next. Undefined when there are no more. */
  nextLoad(): Load | undefined;
  /** What the script has handed over for the next one (handover/), once `Header.hasState` says that there is something. */
  takeState(): string;
}

/**
 * One entry into the isolate. Handles deliveries from the shared input buffer until all are finished, one of them
 * made a promise (its continuations must run before the next delivery, and they run when the entry ends), or the
 * entry has taken so long that the next delivery deserves a time limit of its own. `state`: what an older script has handed over,
 * for the delivery `restore`.
 */
export type Enter = (nowMs: number, monotonicMs: number, state?: string) => void;

/**
 * The words (32 bits each) at the start of the input buffer that the core and the isolate share.
 * `running` is the input offset of the delivery being handled, or -1; `finished` the offset up to which all are;
 * `again` is 1 when the isolate wants to be entered once more, `hasState` when there is something for `takeState`.
 */
export const Header = {
  inputLength: 0,
  finished: 1,
  running: 2,
  outputLength: 3,
  again: 4,
  hasState: 5,
} as const;
/** Where the turn's random bytes lie in the header, and how many: 16 for `Math.random`, 32 for `crypto`. */
export const SEED_OFFSET = 32;
export const SEED_BYTES = 48;
/** The deliveries follow the header at this offset. */
export const HEADER_BYTES = 128;
