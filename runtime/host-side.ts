import type { Listeners } from './listeners.ts';
import { NativeTypeError, SafeWeakMap, shown } from './primordials.ts';
import type { ClientAccess, ClientBandwidth, ClientInfo } from './wall/fields.ts';

/** Where a client stands with the script. */
export type Standing = 'pending' | 'accepted' | 'gone';

/** Takes calls that do not go through the wall. */
export interface Carrier {
  /** It can take no more now. */
  readonly isFull: boolean;
  /** `request` 0: nobody waits for the answer. `args`: AMF0 bytes of their list. */
  carry(request: number, method: string, args: Uint8Array): void;
}

/** Whoever the script may call. */
export interface Peer {
  /** 0: of a NetConnection that is not connected. */
  number: number;
  standing: Standing;
  /** Calls to it that wait for an answer. */
  outstanding: number;
  /** Undefined: the wall. */
  carrier: Carrier | undefined;
}

/** What the runtime knows of a Client object. */
export interface HostSide extends Peer {
  /** Whether it connects again when it is asked to. */
  canReconnect: boolean;
  /** As it was when the script was first told. */
  info: ClientInfo;
  access: ClientAccess;
  bandwidth: ClientBandwidth;
  listeners: Listeners | undefined;
  /** While a re-attached client awaits its verdict: what `rejectConnection` means then. */
  refuse: (() => void) | undefined;
}

export const hostSides = new SafeWeakMap<object, HostSide>();

/** The host's side of a client object; undefined for anything that the server did not make. */
export function hostSide(client: unknown): HostSide | undefined {
  return typeof client === 'object' && client !== null ? hostSides.get(client) : undefined;
}

/** Those that the script has connected to (net/), by the object that stands for them. */
export const linkPeers = new SafeWeakMap<object, () => Peer>();

/** What the host knows them by, from `connect` on; 0 when they are over. */
export const linkNumbers = new SafeWeakMap<object, () => number>();

/** Whom a Client or a NetConnection stands for; undefined for anything else. */
export function peerOf(value: unknown): Peer | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return hostSides.get(value) ?? linkPeers.get(value)?.();
}

/** As `hostSide`, for API members that need a client: names the member when they got something else. */
export function expectClient(member: string, value: unknown): HostSide {
  const side = hostSide(value);
  if (!side) throw new NativeTypeError(`${member}: expected a Client, got ${shown(value)}`);
  return side;
}
