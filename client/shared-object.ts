import { Amf0Decoder, Amf0Encoder } from '../wire/amf0.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { encodeData } from '../wire/commands.ts';
import { controlMessage, MessageType, type RtmpMessage } from '../wire/messages.ts';
import {
  MAX_EVENTS,
  readSharedObject,
  type SharedObjectEvent,
  writeSharedObject,
} from '../wire/shared-object-body.ts';
import * as Type from '../wire/shared-object-event-type.ts';
import { guarded, infoOf, Notifier, type NotifierEvents } from './events.ts';
import type { NetConnection } from './net-connection.ts';

/** What has become of a slot, or of all. */
export interface Change {
  /**
   * `success`: the server took an own change; `reject`: it has another value in its place; `change` and `delete`: somebody
   * else's; `clear`: all slots are gone, as before the first content.
   */
  readonly code: 'success' | 'reject' | 'change' | 'delete' | 'clear';
  /** Of the slot; empty for `clear`. */
  readonly name: string;
  readonly oldValue?: unknown;
}

/** The event `sync`. */
export class SyncEvent extends Event {
  readonly changeList: readonly Change[];

  constructor(changeList: readonly Change[]) {
    super('sync');
    this.changeList = changeList;
  }
}

/** Of a message that has more than one change; twice as much of any: the server's `commandBytes` is 1 MiB. */
const MAX_BYTES = 500_000;

type Said = SharedObjectEvent<unknown>;

// biome-ignore lint/suspicious/noExplicitAny: who declares nothing may have any slots
type Slots = any;

/** Throws for what cannot be sent, before it spoils what can. */
function check(name: string, ...values: unknown[]): void {
  if (encodeData(name, ...values).length > MAX_BYTES * 2) throw new Error('too large');
}

const known = new WeakMap<NetConnection, Map<string, SharedObject>>();

/**
 * A remote shared object: slots that all who have it see, and the application. `T` has the slots, for the compiler. What is
 * written is in `data` at once, and with the server at the end of this round of the event loop; while there is no
 * connection it waits for that.
 *
 *     const board = SharedObject.getRemote<{ topic: string }>('board', connection);
 *     board.onSync = () => console.log(board.data.topic);
 *     board.setProperty('topic', 'bridges');
 */
export class SharedObject<T extends object = Slots> extends Notifier<NotifierEvents & { sync: SyncEvent }> {
  readonly name: string;
  readonly isPersistent: boolean;
  /** The slots. To change one use `setProperty`. */
  readonly data: Readonly<Partial<T>> = Object.create(null);
  /** Called with what one message of the server has changed. */
  onSync: ((changeList: readonly Change[]) => void) | undefined;
  /** Resolves when the content is there for the first time; rejects with the status when it may not be read. */
  readonly ready: Promise<this>;
  #version = 0;
  #isSynced = false;
  #isReady!: () => void;
  #isRefused!: (error: Error) => void;
  /**
   * At most so many messages a second, of changes and of `send`; only the last value of a slot is sent then. 0: one at the
   * end of each round of the event loop. Default 0.
   */
  fps = 0;
  #events: Said[] = [];
  #isDue = false;
  /** Own changes that the server has not answered: how many were said, and what is to be there in the end. */
  readonly #open = new Map<string, { count: number; value: unknown; isSaid: boolean }>();
  readonly #connection: NetConnection;

  /**
   * The object of that name in the instance that the connection goes to. `true` for one that the server keeps on disk:
   * another than the temporary one of that name. There is one for each name and connection.
   */
  static getRemote<T extends object = Slots>(
    name: string,
    connection: NetConnection,
    persistence = false,
  ): SharedObject<T> {
    let objects = known.get(connection);
    if (!objects) {
      objects = new Map();
      known.set(connection, objects);
    }
    const key = `${persistence}/${name}`;
    const object = objects.get(key) ?? new SharedObject(name, connection, persistence);
    objects.set(key, object);
    return object;
  }

  private constructor(name: string, connection: NetConnection, isPersistent: boolean) {
    super(connection);
    this.name = name;
    this.isPersistent = isPersistent;
    this.#connection = connection;
    this.ready = new Promise((done, failed) => {
      this.#isReady = () => done(this);
      this.#isRefused = failed;
    });
    this.ready.catch(() => {}); // it is told as a status, too
    connection.admit(this);
  }

  /** How many slots there are. */
  get size(): number {
    return Object.keys(this.data).length;
  }

  /** Of the last change that the server told. */
  get version(): number {
    return this.#version;
  }

  /** Sets a slot; null or undefined deletes it. */
  setProperty<K extends keyof T & string>(name: K, value: T[K] | null | undefined): void {
    check(name, value);
    this.#open.set(name, { count: this.#open.get(name)?.count ?? 0, value, isSaid: false });
    this.#put(name, value);
    this.#later();
  }

  /** Sends a slot whose value has been changed inside. */
  setDirty(name: keyof T & string): void {
    this.setProperty(name, this.data[name]);
  }

  /** Calls that method of everybody's object, this one's too, and of the application's. */
  send(handler: string, ...args: unknown[]): void {
    check(handler, ...args);
    // Before the content is there nobody hears it.
    if (!this.#isSynced) return;
    this.#gather();
    this.#events.push({ type: Type.Send, values: [handler, ...args] });
    this.#later();
  }

  /** Deletes all slots, for everybody. */
  clear(): void {
    for (const name of Object.keys(this.data)) this.setProperty(name as keyof T & string, null);
  }

  /** Hears no more of it. */
  close(): void {
    if (!this.#connection.dismiss(this)) return;
    if (this.#connection.connected) {
      this.#gather();
      this.#events.push({ type: Type.Release });
      this.#flush();
    }
    this.disconnected();
    known.get(this.#connection)?.delete(`${this.isPersistent}/${this.name}`);
  }

  connected(): void {
    // The server may be another, whose versions are others: it is to tell everything.
    this.#version = 0;
    this.#events = [{ type: Type.Use }];
    this.#flush();
  }

  disconnected(): void {
    this.#isSynced = false;
    this.#events = [];
  }

  #put(name: string, value: unknown): void {
    const slots = this.data as Record<string, unknown>;
    if (value == null) delete slots[name];
    else slots[name] = value;
  }

  #later(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const say = () => {
      this.#isDue = false;
      this.#gather();
      this.#flush();
    };
    if (this.fps > 0) setTimeout(say, 1000 / this.fps);
    else queueMicrotask(say);
  }

  /** What was written and not said yet. Before the content is there it would be overwritten: it is said when that comes. */
  #gather(): void {
    if (!this.#isSynced) return;
    for (const [key, open] of this.#open) {
      if (open.isSaid) continue;
      const { value } = open;
      open.isSaid = true;
      open.count++;
      this.#put(key, value); // somebody else's may have come meanwhile
      this.#events.push(
        value == null ? { type: Type.RequestRemove, key } : { type: Type.RequestChange, key, value },
      );
    }
  }

  /** In one message, or as many as it takes: the server bounds them. */
  #flush(events = this.#events.splice(0)): void {
    if (events.length === 0) return;
    const type = MessageType.SharedObjectAmf3;
    const writer = new ByteWriter();
    const encoder = new Amf0Encoder(writer);
    const { name, isPersistent } = this;
    const message = { name, version: this.#version, isPersistent, events };
    writeSharedObject(writer, type, message, (value) => encoder.value(value));
    if (events.length > MAX_EVENTS || (writer.length > MAX_BYTES && events.length > 1)) {
      this.#flush(events.splice(0, events.length / 2));
      return this.#flush(events);
    }
    this.#connection.sendMessage(controlMessage(type, writer.view));
  }

  receive({ type, payload }: RtmpMessage): void {
    const all = new ByteReader(payload);
    const decoder = new Amf0Decoder(all);
    const { name, isPersistent, version, events } = readSharedObject(type, payload, (data) => {
      all.position = data.position;
      const value: unknown = decoder.value();
      data.position = all.position;
      return value;
    });
    if (name !== this.name || isPersistent !== this.isPersistent) return;
    this.#version = version;
    const changes: Change[] = [];
    let isContent = false;
    for (const event of events) {
      if (event.type === Type.UseSuccess) isContent = true;
      else this.#apply(event, changes);
    }
    if (isContent) this.#begin();
    if (changes.length === 0 && !isContent) return;
    guarded(() => this.onSync?.(changes));
    this.dispatchEvent(new SyncEvent(changes));
  }

  /** What was written meanwhile comes behind the content. */
  #begin(): void {
    this.#isSynced = true;
    for (const open of this.#open.values()) {
      open.count = 0;
      open.isSaid = false;
    }
    this.#gather();
    this.#later();
    this.#isReady();
  }

  #apply(event: Said, changes: Change[]): void {
    const slots = this.data as Record<string, unknown>;
    switch (event.type) {
      case Type.Clear:
        for (const name of Object.keys(slots)) delete slots[name];
        changes.push({ code: 'clear', name: '' });
        return;
      case Type.Change: {
        const { key, value } = event;
        const code = this.#isAnswered(key) ? 'reject' : 'change';
        changes.push({ code, name: key, oldValue: slots[key] });
        slots[key] = value;
        return;
      }
      case Type.Success:
        this.#isAnswered(event.key);
        changes.push({ code: 'success', name: event.key });
        return;
      case Type.Remove:
        this.#isAnswered(event.key);
        changes.push({ code: 'delete', name: event.key, oldValue: slots[event.key] });
        delete slots[event.key];
        return;
      case Type.Send: {
        const [handler, ...args] = event.values;
        this.run(String(handler), args).catch(() => {});
        return;
      }
      case Type.Status: {
        const info = infoOf(event.level as 'error', event.code, `${this.name}: ${event.code}`);
        if (!this.#isSynced) this.#isRefused(new Error(info.description));
        this.report(info);
      }
    }
  }

  #isAnswered(key: string): boolean {
    const open = this.#isSynced ? this.#open.get(key) : undefined;
    if (!open?.count) return false;
    if (--open.count === 0 && open.isSaid) this.#open.delete(key);
    return true;
  }
}
