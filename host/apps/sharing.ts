import type { RtmpMessage } from '../../wire/messages.ts';
import type { SharedObjects } from '../shared-objects/directory.ts';
import type { Subscriber } from '../shared-objects/subscription.ts';
import { isCovered } from './access.ts';
import type { InstanceHost } from './incarnation.ts';
import type { ClientSeat } from './seat.ts';

/** The clients of an instance as subscribers of its shared objects. */
export class Sharing {
  readonly #host: InstanceHost;
  readonly #objects: SharedObjects;
  readonly #subscribers = new Map<ClientSeat, Subscriber>();

  constructor(host: InstanceHost, objects: SharedObjects) {
    this.#host = host;
    this.#objects = objects;
  }

  /** As SharedObjects does; true when the client is to be read more slowly. */
  receive(seat: ClientSeat, message: RtmpMessage): boolean {
    const subscriber = this.#subscribers.get(seat) ?? this.#subscriberOf(seat);
    this.#subscribers.set(seat, subscriber);
    return this.#objects.receive(subscriber, message);
  }

  leave(seat: ClientSeat): void {
    const subscriber = this.#subscribers.get(seat);
    this.#subscribers.delete(seat);
    if (subscriber) this.#objects.leave(subscriber);
    this.#objects.clientLeft(seat.number);
  }

  #subscriberOf({ number, end, info }: ClientSeat): Subscriber {
    const settings = () => this.#host.settings;
    return {
      client: number,
      objectEncoding: end.objectEncoding,
      format: `${end.format} ${end.objectEncoding}`,
      serialize: (message) => end.serialize(message),
      deliver: (bytes, messages) => end.deliver(bytes, messages),
      get queuedBytes() {
        return end.queuedBytes;
      },
      mayRead: (name) => isCovered(info.access.readAccess, name, settings()),
      mayWrite: (name) => isCovered(info.access.writeAccess, name, settings()),
    };
  }
}
