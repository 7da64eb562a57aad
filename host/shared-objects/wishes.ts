import type { SharedChange } from '../../runtime/wall/sharing.ts';
import { type SharedObjectEvent, SharedObjectEventType as Type } from '../../wire/shared-object.ts';
import { sharedValueFrom, sharedValuesFrom } from '../../wire/shared-values.ts';
import type { Asked, Asker } from './in-flight.ts';
import type { ProxyStep } from './proxy-step.ts';
import { copyOf, isHandlerName, isNothing } from './values.ts';

/** What a client, or else a script, wants done in one message. */
export interface Wish extends Asker {
  /** The version of the copy that the client had seen. */
  readonly knownVersion: number;
  readonly events: readonly SharedObjectEvent[];
}

/** What a subscriber may ask for, and be refused. */
export function isWanted(event: SharedObjectEvent): boolean {
  switch (event.type) {
    case Type.RequestChange:
    case Type.RequestRemove:
    case Type.RequestClear:
      return true;
    default:
      return event.type === Type.Send && isHandlerName(event.values[0]);
  }
}

/** What the owner will answer. */
export function askedOf(event: SharedObjectEvent, { writer, script, knownVersion }: Wish): Asked[] {
  const by = { writer, script, knownVersion };
  switch (event.type) {
    case Type.RequestChange:
      return [{ ...by, key: event.key, value: isNothing(event.value) ? undefined : copyOf(event.value) }];
    case Type.RequestRemove:
      return [{ ...by, key: event.key, value: undefined }];
    default:
      return [];
  }
}

/** None of it will be done. */
export function refuseWish(wish: Wish, step: ProxyStep): void {
  step.isRefusedTo(wish);
  for (const event of wish.events) {
    for (const asked of askedOf(event, wish)) step.refuse(asked);
    if (event.type === Type.RequestClear) step.refuseClear(wish);
  }
}

/** Of its own: not a view of what it came in. */
export function ownEvent(event: SharedObjectEvent): SharedObjectEvent {
  if ('value' in event) return { ...event, value: copyOf(event.value) };
  return 'values' in event ? { ...event, values: event.values.map(copyOf) } : event;
}

/** What is asked for in the place of a script's change. Throws `E_AMF` for values that are none. */
export function eventOf(change: SharedChange): SharedObjectEvent[] {
  switch (change.op) {
    case 'set':
      return [{ type: Type.RequestChange, key: change.name, value: sharedValueFrom(change.value.slice()) }];
    case 'remove':
      return [{ type: Type.RequestRemove, key: change.name }];
    case 'clear':
      return [{ type: Type.RequestClear }];
    case 'send':
      return [{ type: Type.Send, values: sharedValuesFrom(change.values.slice()) }];
    case 'until':
      return []; // the runtime refuses it
  }
}
