import type { SharedChange, SharedSync } from '../../runtime/wall/sharing.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import type { SharedObjectEvent } from '../../wire/shared-object.ts';
import type { SharedValue } from '../../wire/shared-values.ts';
import type { StatusCode } from '../../wire/status.ts';

/** A client as shared objects see it. */
export interface Subscriber {
  /** Whether it reads messages of type 16, with values in AMF3, or of type 19. */
  readonly objectEncoding: 0 | 3;
  /** Subscribers of one format take the same bytes for the same message. */
  readonly format: string;
  serialize(message: RtmpMessage): Buffer;
  /** Bytes from `serialize`, shared with others: nobody may change them afterwards. */
  deliver(bytes: Buffer, messages: number): void;
  /** Written but not yet taken by the operating system. */
  readonly queuedBytes: number;
  /** The client's number in its instance. */
  readonly client: number;
  mayRead(name: string): boolean;
  mayWrite(name: string): boolean;
}

/** Where a subscriber stands with one object. */
export interface Subscription {
  /** Not 0, and no other's of this object. */
  readonly number: number;
  readonly subscriber: Subscriber;
  /**
   * It shares the object with others (`ProxiedObject`): each of its changes is answered once, with the value when it was made, and
   * with the slot's version and then what it holds when it was not.
   */
  readonly isProxy: boolean;
  /** The version that it was given the whole at: what it writes without having seen that is older. */
  givenAt: number;
  /** Updates of this round that it has seen as part of something else: those before it joined. */
  joinedAt: number;
  /** The version up to which it was told; undefined before the first time. */
  told: number | undefined;
  /** It does not read fast enough, or there is much to tell it: what comes now is made up for later. */
  isBehind: boolean;
  /** It has asked for the object, and that is answered with the first that it is told. */
  isUnanswered: boolean;
  /** What it is being told piece by piece while it is behind, and the version that this leads to. */
  pieces: { readonly upTo: number; readonly events: Iterator<SharedObjectEvent> } | undefined;
  /**
   * Slots that it was told of without a new version, what they hold when it wanted otherwise, and the version then. What
   * it has written to them by the time that it hears of it, it has no more.
   */
  readonly corrected: Map<string, number>;
  /** Of slots that it may not change and was told again, in this round. */
  refusedBytes: number;
  /** While it is behind: answers to its changes that mean something without what they are about. */
  readonly owed: SharedObjectEvent[];
}

/** A script that has opened an object. */
export interface Observer {
  /** Whether one of its handlers runs: it must not find the object changed under its hands. */
  readonly isBusy: boolean;
  /** Whether it is the script of the instance, and not one that is yet to take over. */
  readonly isInCharge: boolean;
  /** What a client has done in one message, or the server. `isKnown`: it was the script's decision, and its copy is so. */
  changed(news: News, isKnown: boolean): void;
  /**
   * It is to decide about a message of that client, and say so under that number (`SharedObject.decide`). False when more
   * waits for it than it can take: then it is to be asked after its next turn.
   */
  ask(number: number, client: number, changes: readonly SharedChange[]): boolean;
  /** A client has waited so long for its lock: it is to end that. */
  unlock(waitedMs: number): void;
}

export interface News {
  /** Its number; 0 for the server. */
  readonly client: number;
  readonly version: number;
  readonly changes: readonly SharedChange[];
  readonly list: readonly SharedSync[];
  /** Messages that have a handler's name. */
  readonly sends: readonly (readonly SharedValue[])[];
  /** For `onStatus` of the script. */
  readonly status?: { readonly code: StatusCode; readonly description: string };
  /** All of another instance's object is here now: `onSync` is told even if that is nothing. */
  readonly isWhole?: boolean;
}
