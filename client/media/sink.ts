/** What takes the messages of one stream, in their order, as the server sends them. */
export interface MediaSink {
  /** The payload is kept as it is: it must not change afterwards. Types that are not of use are ignored. */
  message(type: number, timestamp: number, payload: Uint8Array): void;
  /** Nothing more comes for now: what there is can be shown to its end. */
  ended?(): void;
  /** May be called twice. */
  close(): void;
}

/** As in an information object of the server; an alias, which TypeScript lets pass for one (`Info`), as it does no interface. */
export type MediaStatus = {
  readonly level: 'status' | 'warning' | 'error';
  /**
   * Codes of Flash Player, `NetStream.Buffer.Empty` and `NetStream.Play.NoSupportedTrackFound` and the like, and one that
   * it never needed: `NetStream.Play.AutoplayBlocked`, after which a gesture of the user has to call `play()`.
   */
  readonly code: string;
  readonly description: string;
};

export interface PlayerStats {
  /** From what is shown to the newest that has come. */
  readonly delayMs: number;
  /** What the player aims at. */
  readonly targetMs: number;
  /** All that is held, also what was shown already. */
  readonly bufferedMs: number;
  readonly decodedFrames: number;
  readonly droppedFrames: number;
  /** Pictures shown in a second, over the last second or, where nothing came, the time since something did. */
  readonly currentFps: number;
  readonly rate: number;
  /** How often it ran dry, and how often it left something out to be on time again. */
  readonly stalls: number;
  readonly jumps: number;
  /** Messages that made no sense. */
  readonly malformed: number;
}

/** What becomes of a stream meanwhile. */
export interface Situation {
  /** All of it is shown, at its own pace; what is live is shown as soon as it can be. */
  readonly isRecorded: boolean;
  /** Only the picture is shown that it comes to. */
  readonly isPaused: boolean;
}

export const LIVE: Situation = { isRecorded: false, isPaused: false };

/** What plays a stream in a page. */
export interface Player extends MediaSink {
  readonly stats: PlayerStats;
  /** The timestamp of the message that is seen or heard now: for acknowledgements. `undefined` before the first. */
  readonly playedTimestamp: number | undefined;
}
