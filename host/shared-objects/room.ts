import type { SharedValue } from '../../wire/shared-values.ts';
import { costOf, type Slots, sizeOf, type Usage } from './slots.ts';

export interface RoomLimits {
  readonly slots: number;
  readonly slotBytes: number;
  /** Of all objects of the instance together. */
  readonly sharedObjectBytes: number;
  /** Of all instances of the application together. */
  readonly appSharedObjectBytes: number;
  /** Of all persistent objects of the application together. */
  readonly persistentBytes: number;
}

/** What may leave no room for a slot. */
export type ObjectLimit = keyof RoomLimits;

export interface Room {
  readonly limits: RoomLimits;
  /** Of all objects together. */
  readonly usage: Usage;
  /** Of all instances of the application together. */
  readonly appUsage: Usage;
  /** On disk, of a persistent one. */
  readonly quota?: Usage | undefined;
}

const MAX_NAME_BYTES = 1024;

/** The limit that leaves no room for that value among the slots. */
export function roomLimitFor(
  slots: Slots,
  { limits, usage, appUsage, quota }: Room,
  key: string,
  value: SharedValue,
): ObjectLimit | undefined {
  const slot = slots.get(key);
  if (sizeOf(key, value) > limits.slotBytes || isLongName(key)) return 'slotBytes';
  if (!slot && slots.size >= limits.slots) return 'slots';
  const more = costOf(key, value) - (slot ? costOf(key, slot.value) : 0);
  if (quota && more > 0 && quota.bytes + more > limits.persistentBytes) return 'persistentBytes';
  if (more > 0 && appUsage.bytes + more > limits.appSharedObjectBytes) return 'appSharedObjectBytes';
  return usage.bytes + more > limits.sharedObjectBytes ? 'sharedObjectBytes' : undefined;
}

/** Clients have no longer ones (wire/shared-object.ts). */
function isLongName(name: string): boolean {
  return name.length > MAX_NAME_BYTES / 3 && Buffer.byteLength(name) > MAX_NAME_BYTES;
}
