import type { Client } from './client.ts';
import { defineLazily, loadPart } from './parts.ts';
import type { Share } from './share/main.ts';
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

/** News of an object that the script has opened. */
export function receiveShared(delivery: SharedDelivery, client: Client | undefined): void {
  share?.receive(delivery, client);
}
