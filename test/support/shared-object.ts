import {
  decodeSharedObject,
  encodeSharedObject,
  type SharedObjectEvent,
  SharedObjectEventType,
} from '../../wire/shared-object.ts';
import { readSharedValue, type SharedValue, sharedValueOf } from '../../wire/shared-values.ts';
import type { AmfValue } from '../../wire/values.ts';
import { eventually, Journal } from './journal.ts';
import { type Received, type RtmpClient, Type } from './rtmp-client.ts';

/** One entry of what a player's `onSync` is given. */
export interface SyncEntry {
  code: 'clear' | 'success' | 'reject' | 'change' | 'delete';
  name?: string;
  oldValue?: AmfValue;
}

/** What one message of the server came to. */
export interface Sync {
  version: number;
  list: SyncEntry[];
  sends: AmfValue[][];
  statuses: { code: string; level: string }[];
}

export type Change = { set: Record<string, unknown> } | { remove: string } | { send: unknown[] } | 'clear';

/**
 * A remote shared object as a player has it. What it writes it has at once; `success` has no value, and changes nothing;
 * everything else that the server says replaces what it has.
 */
export class RemoteSharedObject {
  readonly data = new Map<string, AmfValue>();
  readonly syncs = new Journal<Sync>('the shared object', (sync) => JSON.stringify(sync).slice(0, 200));
  readonly name: string;
  readonly isPersistent: boolean;
  /** That of the last message. */
  version = 0;
  isConnected = false;
  readonly client: RtmpClient;
  readonly #type: number;
  readonly #encoding: 0 | 3;
  /** How many own changes of a slot the server has not answered. */
  readonly #asked = new Map<string, number>();

  constructor(client: RtmpClient, name: string, { isPersistent = false, encoding = 0 as 0 | 3 } = {}) {
    this.client = client;
    this.name = name;
    this.isPersistent = isPersistent;
    this.#encoding = encoding;
    this.#type = encoding === 3 ? Type.SharedObjectAmf3 : Type.SharedObjectAmf0;
    client.onSharedObject((received) => this.#receive(received));
    void client.closed.then(() => this.syncs.end('the connection is closed'));
  }

  /** Asks for the object and waits for its content. Throws with the status of a refusal. */
  async connect(): Promise<this> {
    const from = this.syncs.mark;
    this.send([{ type: SharedObjectEventType.Use }]);
    const first = await this.syncs.waitFor('the content', (sync) => this.isConnected || isError(sync), from);
    if (isError(first)) throw new Error(first.statuses[0]!.code);
    return this;
  }

  release(): void {
    this.send([{ type: SharedObjectEventType.Release }]);
    this.isConnected = false;
  }

  /** Changes in one message, and so in one version. */
  change(...changes: Change[]): void {
    const events: SharedObjectEvent[] = changes.flatMap((change): SharedObjectEvent[] => {
      if (change === 'clear') {
        this.data.clear();
        return [{ type: SharedObjectEventType.RequestClear }];
      }
      if ('remove' in change) {
        this.data.delete(change.remove);
        return [{ type: SharedObjectEventType.RequestRemove, key: change.remove }];
      }
      if ('send' in change)
        return [{ type: SharedObjectEventType.Send, values: change.send.map((v) => this.#valueOf(v)) }];
      return Object.entries(change.set).map(([key, value]) => {
        this.#asked.set(key, (this.#asked.get(key) ?? 0) + 1);
        this.data.set(key, value as AmfValue);
        return { type: SharedObjectEventType.RequestChange, key, value: this.#valueOf(value) };
      });
    });
    this.send(events);
  }

  set(name: string, value: unknown): void {
    this.change({ set: { [name]: value } });
  }

  /** Sets a slot and waits for the server's answer to that. */
  async setAndWait(name: string, value: unknown): Promise<SyncEntry> {
    const from = this.syncs.mark;
    this.set(name, value);
    const isAnswer = (entry: SyncEntry) =>
      entry.name === name && (entry.code === 'success' || entry.code === 'reject' || entry.code === 'delete');
    const sync = await this.syncs.waitFor(`an answer about ${name}`, ({ list }) => list.some(isAnswer), from);
    return sync.list.find(isAnswer)!;
  }

  send(events: readonly SharedObjectEvent[]): void {
    const { name, version, isPersistent } = this;
    const payload = encodeSharedObject(this.#type, { name, version, isPersistent, events });
    this.client.message({ type: this.#type, streamId: 0, timestamp: 0, payload });
  }

  /** Waits until the slots are these and no others. */
  async holds(expected: Record<string, unknown>): Promise<void> {
    const wanted = JSON.stringify(sorted(Object.entries(expected)));
    await eventually(
      `${this.name} holds ${wanted}, and not ${this.#shown()}`,
      () => this.#shown() === wanted,
    );
  }

  /** Whether a change of its own was waiting. */
  #answered(key: string): boolean {
    const asked = this.#asked.get(key);
    if (asked === undefined) return false;
    if (asked > 1) this.#asked.set(key, asked - 1);
    else this.#asked.delete(key);
    return true;
  }

  #shown(): string {
    return JSON.stringify(sorted([...this.data]));
  }

  #valueOf(value: unknown): SharedValue {
    return sharedValueOf(value, this.#encoding);
  }

  #receive({ type, payload }: Received): void {
    const message = decodeSharedObject(type, payload);
    if (message.name !== this.name || message.isPersistent !== this.isPersistent) return;
    if (type !== this.#type) throw new Error(`a message of type ${type} to a client of AMF${this.#encoding}`);
    this.version = message.version;
    const sync: Sync = { version: message.version, list: [], sends: [], statuses: [] };
    for (const event of message.events) this.#apply(event, sync);
    this.syncs.add(sync);
  }

  #apply(event: SharedObjectEvent, sync: Sync): void {
    switch (event.type) {
      case SharedObjectEventType.UseSuccess:
        this.isConnected = true;
        return;
      case SharedObjectEventType.Clear:
        this.data.clear();
        sync.list.push({ code: 'clear' });
        return;
      case SharedObjectEventType.Change: {
        const oldValue = this.data.get(event.key);
        this.data.set(event.key, readSharedValue(event.value));
        sync.list.push({ code: this.#answered(event.key) ? 'reject' : 'change', name: event.key, oldValue });
        return;
      }
      case SharedObjectEventType.Success:
        this.#answered(event.key);
        sync.list.push({ code: 'success', name: event.key });
        return;
      case SharedObjectEventType.Remove:
        this.#answered(event.key);
        this.data.delete(event.key);
        sync.list.push({ code: 'delete', name: event.key });
        return;
      case SharedObjectEventType.Send:
        sync.sends.push(event.values.map((value) => readSharedValue(value)));
        return;
      case SharedObjectEventType.Status:
        sync.statuses.push({ code: event.code, level: event.level });
        return;
      default:
        throw new Error(`the server sent event ${event.type}, which is for servers`);
    }
  }
}

function isError({ statuses }: Sync): boolean {
  return statuses.some(({ level }) => level === 'error');
}

function sorted(entries: [string, unknown][]): [string, unknown][] {
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}
