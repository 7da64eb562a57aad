import type { CommandBody } from '../../runtime/wall/fields.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import type { StatusCode } from '../../wire/status.ts';
import type { AmfValue } from '../../wire/values.ts';
import type { Transport } from '../rtmp/ports.ts';

/** A connection of a script to another instance, here or elsewhere (class NetConnection on the server). */
export interface Link {
  /** Calls a method of the other side; without `request` nobody waits for the answer. `args`: AMF0 bytes. */
  invoke(method: string, request: number, args: Uint8Array): void;
  /** The answer to a call of the other side. `values`: AMF0 bytes of one value, or of an info object. */
  answer(transaction: number, isOk: boolean, values: Uint8Array): void;
  /**
   * A call by the server itself, such as `createStream`; `onAnswer` is called once, without a command when the link ends
   * first. Without it the answer is nobody's business.
   */
  ask(method: string, args: readonly AmfValue[], onAnswer?: OnAnswer): void;
  readonly objectEncoding: 0 | 3;
  /** A message of a stream or a shared object. */
  send(message: RtmpMessage): void;
  /** Written but not yet taken by who carries it. */
  readonly queuedBytes: number;
  /** For media, as bytes that others share. */
  readonly transport: Transport;
  setReading(isReading: boolean): void;
  /** After what was sent before. Nothing is told afterwards. */
  close(): void;
}

export type OnAnswer = (isOk: boolean, command: CommandBody | undefined) => void;

/** Who uses a connection beside its calls: a stream, or a shared object. */
export interface LinkUser {
  /** The connection is accepted: for those who have waited for it, and at once for those who join it later (`LinkPlace`). */
  opened?(link: Link): void;
  /** One that is not a call, of whichever stream or object. */
  message(message: RtmpMessage): void;
  /** The connection is over. */
  ended(): void;
  /** The connection stays for it when the script is over that has made it. Default false. */
  readonly outlivesScript?: boolean;
}

/** A connection of a script, accepted or not yet, for streams. */
export interface LinkPlace {
  /** As the script has it, with what follows `?`. */
  readonly address: string;
  /** It is used until `leave`, or until `ended` is called: at once when it is over. */
  join(user: LinkUser): void;
  leave(user: LinkUser): void;
}

/** Who has the connection. After `failed` or `ended` nothing comes any more. */
export interface LinkOwner {
  /** The other side has accepted it, with that command: `_result` of `connect`. */
  accepted(command: CommandBody): void;
  /** It has not: its `_error`. */
  refused(command: CommandBody): void;
  /** It was never made, and why. */
  failed(code: StatusCode, description: string): void;
  /** It has ended, and what for, when somebody knows. */
  ended(description: string): void;
  /** An info object of the other side: its `onStatus`. */
  status(command: CommandBody): void;
  /** A call by the other side; `transaction` 0 wants no answer. */
  called(name: string, transaction: number, command: CommandBody): void;
  /** The answer to `invoke`. */
  replied(request: number, isOk: boolean, command: CommandBody): void;
  /** What belongs to a stream or a shared object: media, data, statuses of streams, events; and of user control what is of a stream. */
  message(message: RtmpMessage): void;
  /** Nothing of it is there any more: once, also after `close`, which lets what was sent arrive first. */
  gone(): void;
}

/** What `connect` says. */
export interface LinkRequest {
  app: string;
  instance: string;
  /** What followed `?`. */
  query: string;
  /** As the script has it. */
  uri: string;
  objectEncoding: 0 | 3;
  /** It connects again when it is asked to. */
  canReconnect: boolean;
  /** The application that connects. */
  referrer: string;
  /** AMF0 bytes: the arguments after the command object. */
  args: Uint8Array;
}
