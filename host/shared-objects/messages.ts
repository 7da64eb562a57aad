import { MessageType } from '../../wire/messages.ts';
import {
  encodeSharedObject,
  MAX_EVENTS,
  type SharedObjectEvent,
  SharedObjectEventType as Type,
} from '../../wire/shared-object.ts';
import { inAmf0, type SharedValue, sharedValueOf } from '../../wire/shared-values.ts';
import { type StatusCode, status } from '../../wire/status.ts';
import { StagewireError } from '../base/errors.ts';
import { sizeOf } from './slots.ts';
import type { Subscriber } from './subscription.ts';

/** A message is made in one piece, and a server that shares the object takes 1 MiB (`commandBytes`): what is more is told in several. */
const MAX_MESSAGE_BYTES = 512 * 1024;

/** Whether a message of so many events can take no more. A server that shares the object of another refuses longer ones. */
export function isFull(events: number, sizeBytes: number): boolean {
  return events >= MAX_EVENTS || sizeBytes >= MAX_MESSAGE_BYTES;
}

/** What messages say of the object that they are about. */
interface About {
  readonly name: string;
  readonly isPersistent: boolean;
  /** To a server that shares it: it is told as such (`Subscription.isProxy`). */
  readonly isProxy?: boolean;
}

/** Each of several messages but the last has an older version: that is known to whoever has all of it. */
export function messagesFor(
  subscriber: Subscriber,
  about: About,
  version: number,
  events: readonly SharedObjectEvent[],
): Buffer[] {
  const parts = inMessages(events.map((event) => fitFor(subscriber, event)));
  return parts.map((part, index) =>
    messageFor(subscriber, about, index < parts.length - 1 ? version - 1 : version, part),
  );
}

/** Events that fit the subscriber, as the bytes of one message. */
export function messageFor(
  subscriber: Subscriber,
  { name, isPersistent, isProxy = false }: About,
  version: number,
  events: readonly SharedObjectEvent[],
): Buffer {
  const type = subscriber.objectEncoding === 3 ? MessageType.SharedObjectAmf3 : MessageType.SharedObjectAmf0;
  const payload = encodeSharedObject(type, { name, version, isPersistent, isProxy, events });
  return subscriber.serialize({ type, streamId: 0, timestamp: 0, payload });
}

/** To a client that is no subscriber, or is none of an object that there is. */
export function statusMessage(
  subscriber: Subscriber,
  name: string,
  isPersistent: boolean,
  code: StatusCode,
): void {
  subscriber.deliver(messageFor(subscriber, { name, isPersistent }, 0, [statusEvent(code)]), 1);
}

export function statusEvent(code: StatusCode): SharedObjectEvent {
  return { type: Type.Status, code, level: status(code).level };
}

function inMessages(events: readonly SharedObjectEvent[]): (readonly SharedObjectEvent[])[] {
  let bytes = 0;
  const messages: SharedObjectEvent[][] = [[]];
  for (const event of events) {
    const size = sizeOfEvent(event);
    const { length } = messages.at(-1)!;
    bytes += size;
    if (length >= MAX_EVENTS || (bytes > MAX_MESSAGE_BYTES && length > 0)) {
      messages.push([]);
      bytes = size;
    }
    messages.at(-1)!.push(event);
  }
  return messages;
}

export function sizeOfEvent(event: SharedObjectEvent): number {
  if ('value' in event) return sizeOf(event.key, event.value);
  if ('values' in event) return event.values.reduce((sum, { bytes }) => sum + bytes.length, 0);
  return 32 + ('key' in event ? event.key.length : 0);
}

/** How much longer a value may be in AMF0, which repeats what AMF3 refers to: a few bytes could stand for megabytes. */
const AMF0_GROWTH = 16;
const SHORT_BYTES = 1024;
/** Of all values of one `send`, which stay in one message. */
const MAX_SENT_BYTES = 4 * 1024 * 1024;

/** An event as that subscriber can read it: AMF0 only, or AMF3 too. */
export function fitFor(
  { objectEncoding }: Pick<Subscriber, 'objectEncoding'>,
  event: SharedObjectEvent,
): SharedObjectEvent {
  if (objectEncoding === 3) return event;
  if ('value' in event && event.value.hasAmf3) return { ...event, value: lowered(event.value, Infinity) };
  if (!('values' in event)) return event;
  let left = MAX_SENT_BYTES;
  const values = event.values.map((value) => {
    if (!value.hasAmf3) return value;
    const low = lowered(value, left);
    left -= low.bytes.length;
    return low;
  });
  return { ...event, values };
}

/** In AMF0; undefined in place of what would be too long. */
function lowered(value: SharedValue, mostBytes: number): SharedValue {
  try {
    return inAmf0(value, Math.min(mostBytes, SHORT_BYTES + value.bytes.length * AMF0_GROWTH));
  } catch (error) {
    if (!(error instanceof StagewireError)) throw error;
    return UNDEFINED;
  }
}

const UNDEFINED = sharedValueOf(undefined, 0);
