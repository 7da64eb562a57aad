import type { Lobby } from '../rtmp/ports.ts';
import type { Tap } from '../streams/live-stream.ts';

export interface Carried {
  /** Of its present source. */
  readonly publication: string;
  /** Its instance has ended, or there was none: there may be another by now. */
  readonly isOver: boolean;
  /** Until then nobody here knows whether it has a source. */
  readonly known?: Promise<void>;
  end(): void;
}

/** Who answers for instances: this server, or another one. */
export interface Owner extends Lobby {
  /** Gives the tap a live stream of an instance, until `end`; nothing while there is no such instance. */
  carry(app: string, instance: string, stream: string, tap: Tap): Carried;
  /** Whose pages may connect to an application; undefined when there is no such application. */
  originsOf(app: string): readonly string[] | undefined;
}

/** Which server owns an instance: what a cluster is asked. */
export interface Placement {
  ownerOf(app: string, instance: string): Owner;
}

/** Brings each client to who owns its instance. */
export function lobbyOf(placement: Placement): Lobby {
  return {
    connect: (request, client) => placement.ownerOf(request.app, request.instance).connect(request, client),
  };
}
