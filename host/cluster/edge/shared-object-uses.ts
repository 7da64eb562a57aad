import { ByteWriter } from '../../../wire/bytes.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { readSharedObject, writeSharedObject } from '../../../wire/shared-object-body.ts';
import * as SharedObjectEventType from '../../../wire/shared-object-event-type.ts';
import { StagewireError } from '../../base/errors.ts';

interface Use {
  readonly type: number;
  readonly name: string;
  readonly isPersistent: boolean;
  readonly isProxy: boolean;
}

const MAX_OBJECTS = 10_000;

/** Which shared objects a client uses: for an origin that has forgotten it. */
export class SharedObjectUses {
  readonly #uses = new Map<string, Use>();

  /** A message of the client's, which may be anything. */
  note({ type, payload }: RtmpMessage): void {
    try {
      const {
        name,
        isPersistent,
        isProxy = false,
        events,
      } = readSharedObject(type, payload, (data) => data.skip(data.remaining));
      const key = `${isPersistent}/${name}`;
      for (const event of events) {
        if (event.type === SharedObjectEventType.Release) this.#uses.delete(key);
        if (event.type !== SharedObjectEventType.Use || this.#uses.size >= MAX_OBJECTS) continue;
        this.#uses.set(key, { type, name, isPersistent, isProxy });
      }
    } catch (error) {
      // The origin tells the client.
      if (!(error instanceof StagewireError)) throw error;
    }
  }

  /** What asks for all of them anew, with everything that is in them. */
  uses(): RtmpMessage[] {
    return [...this.#uses.values()].map(({ type, name, isPersistent, isProxy }) => {
      const writer = new ByteWriter();
      const events = [{ type: SharedObjectEventType.Use }];
      const use = { name, version: 0, isPersistent, isProxy, events };
      writeSharedObject<never>(writer, type, use, () => {});
      return {
        type: type === MessageType.SharedObjectAmf3 ? type : MessageType.SharedObjectAmf0,
        streamId: 0,
        timestamp: 0,
        payload: writer.copy(),
      };
    });
  }
}
