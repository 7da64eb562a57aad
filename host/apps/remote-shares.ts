import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import {
  decodeSharedObject,
  encodeSharedObject,
  type SharedObjectMessage,
  SharedObjectEventType as Type,
} from '../../wire/shared-object.ts';
import type { AmfLimits } from '../../wire/values.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Link, LinkUser } from '../links/link.ts';
import { fitFor } from '../shared-objects/messages.ts';
import type { Owner, ProxiedObject } from '../shared-objects/proxied-object.ts';
import type { ScriptLinks } from './script-links.ts';
import type { Remotes } from './script-shares.ts';

/** Of the values of one message, in which an owner tells thousands of slots. They are walked, not made. */
const AMF_LIMITS: AmfLimits = { depth: 64, values: 1024 * 1024 };

/** Over which of its connections a script has objects of other instances. */
export class RemoteShares implements Remotes {
  readonly #links: ScriptLinks;
  readonly #clock: Clock;
  readonly #limits: { readonly outgoingConnectMs: number };
  readonly #routes = new Map<number, Route>();
  /** Those that this script has attached. */
  readonly #objects = new Map<ProxiedObject, Route>();

  /** `limits`: how long an owner has to answer. */
  constructor(links: ScriptLinks, clock: Clock, limits: { readonly outgoingConnectMs: number }) {
    this.#links = links;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** The owner of the object is at the other end of that connection, from now on. */
  attach(object: ProxiedObject, link: number): void {
    const route = this.#routes.get(link) ?? new Route(() => this.#routes.delete(link));
    this.#routes.set(link, route);
    if (this.#objects.get(object) === route) return;
    let patience: Timer | undefined;
    const owner: Owner = {
      get queuedBytes() {
        return route.link?.queuedBytes ?? 0;
      },
      send: (message) => route.send(message),
      left: () => {
        this.#clock.clearTimer(patience);
        this.#objects.delete(object);
        route.delete(object);
      },
    };
    object.attach(owner);
    this.#objects.set(object, route);
    route.add(object, owner, () => {
      patience = this.#clock.setTimer(() => this.#giveUp(object, owner), this.#limits.outgoingConnectMs);
      object.open(owner);
    });
    if (route.isJoined || route.join(this.#links, link)) return;
    const description = 'The connection is over.';
    object.detach(owner, { code: 'SharedObject.ObjectCreationFailed', description });
  }

  #giveUp(object: ProxiedObject, owner: Owner): void {
    if (!object.isWaitingFor(owner)) return;
    const within = `within ${this.#limits.outgoingConnectMs} ms (limits.outgoingConnectMs)`;
    const description = `The owner of "${object.name.slice(0, 80)}" has not given it ${within}.`;
    object.release({ code: 'SharedObject.ObjectCreationFailed', description });
  }

  release(object: ProxiedObject): void {
    if (this.#objects.has(object)) object.release();
  }
}

/** The shared objects that come over one connection. */
class Route implements LinkUser {
  link: Link | undefined;
  isJoined = false;
  readonly #objects = new Map<string, { object: ProxiedObject; owner: Owner; open: () => void }>();
  readonly #onEnd: () => void;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** False when the connection is over. */
  join(links: ScriptLinks, number: number): boolean {
    const place = links.place(number);
    this.isJoined = place !== undefined;
    if (place) place.join(this);
    else this.#onEnd();
    return this.isJoined;
  }

  add(object: ProxiedObject, owner: Owner, open: () => void): void {
    this.#objects.set(keyOf(object), { object, owner, open });
    if (this.link) open();
  }

  delete(object: ProxiedObject): void {
    const key = keyOf(object);
    if (this.#objects.get(key)?.object === object) this.#objects.delete(key);
  }

  opened(link: Link): void {
    this.link = link;
    for (const { open } of [...this.#objects.values()]) open();
  }

  send(message: SharedObjectMessage): void {
    if (!this.link) return;
    const { objectEncoding } = this.link;
    const type = objectEncoding === 3 ? MessageType.SharedObjectAmf3 : MessageType.SharedObjectAmf0;
    const events = message.events.map((event) => fitFor({ objectEncoding }, event));
    const payload = encodeSharedObject(type, { ...message, events });
    this.link.send({ type, streamId: 0, timestamp: 0, payload });
  }

  /** Throws what ends the connection: the other side has sent what is malformed. Of objects that were not asked for it is overlooked. */
  message({ type, payload }: RtmpMessage): void {
    if (type !== MessageType.SharedObjectAmf0 && type !== MessageType.SharedObjectAmf3) return;
    if (this.#objects.size === 0) return;
    const message = decodeSharedObject(type, payload.slice(), AMF_LIMITS);
    const known = this.#objects.get(keyOf(message));
    known?.object.receive(known.owner, message);
  }

  ended(): void {
    this.#onEnd();
    const all = [...this.#objects.values()];
    // The connection itself may go on, for streams.
    for (const { object } of all) {
      const { name, isPersistent } = object;
      this.send({ name, isPersistent, version: 0, events: [{ type: Type.Release }] });
    }
    this.link = undefined;
    // Another script may be about to take over, and have them over a connection of its own.
    setImmediate(() => {
      for (const { object, owner } of all) object.detach(owner);
    });
  }
}

function keyOf({ name, isPersistent }: { name: string; isPersistent: boolean }): string {
  return `${isPersistent ? 'p' : 't'} ${name}`;
}
