import { AskError } from './amf.ts';
import { askAfterAll } from './ask.ts';
import type { Client } from './client.ts';
import { describe, reportError } from './events.ts';
import { defineLazily, loadPart } from './parts.ts';
import { findIn, NativeTypeError, shown } from './primordials.ts';
import type { Share, SharedObjectName } from './share/main.ts';
import type { Delivery } from './wall/deliveries.ts';

export type SharedDelivery = Extract<Delivery, { kind: `shared-${string}` }>;

let share: Share | undefined;

/** The global `SharedObject` (share/). */
export function installShare(global: typeof globalThis): void {
  defineLazily(global, 'SharedObject', () => {
    share ??= loadPart<Share>('share');
    return share.SharedObject;
  });
}

/** `application.clearSharedObjects`: true when everything that the path stands for is gone. */
export function clearSharedObjects(path: unknown): boolean {
  const member = 'application.clearSharedObjects';
  if (typeof path !== 'string' || path === '')
    throw new NativeTypeError(`${member}: expected a path such as "/" or "/rooms/*", got ${shown(path)}`);
  let answer: [number, number[]];
  try {
    answer = askAfterAll('share.clear', path) as [number, number[]];
  } catch (error) {
    if (error instanceof AskError && error.code === 'E_SHARED_OBJECT') return false;
    throw new NativeTypeError(`${member}: ${describe(error).message}`);
  }
  share?.cleared(answer[1]);
  return answer[0] > 0 || path === '/' || findIn(path, '*', 0) >= 0 || findIn(path, '?', 0) >= 0;
}

/** What a shared object is called; undefined for anything else, and for one that was closed. */
export function sharedObject(value: object): SharedObjectName | undefined {
  return share?.nameOf(value);
}

/** Undefined when it cannot be opened: the author has been told. */
export function openShared(name: string, isPersistent: boolean): object | undefined {
  try {
    share ??= loadPart<Share>('share');
    return share.SharedObject.get(name, isPersistent);
  } catch (error) {
    reportError(error, 'SharedObject.get');
    return undefined;
  }
}

/** News of an object that the script has opened. */
export function receiveShared(delivery: SharedDelivery, client: Client | undefined): void {
  share?.receive(delivery, client);
}
