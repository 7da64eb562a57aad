import type { Command } from '../../runtime/wall/commands.ts';
import type { Delivery } from '../../runtime/wall/deliveries.ts';
import type { SharedObjectOpened } from '../../runtime/wall/sharing.ts';
import { joined } from '../../wire/shared-values.ts';
import { status } from '../../wire/status.ts';
import { StagewireError } from '../base/errors.ts';
import type { SharedObjects } from '../shared-objects/directory.ts';
import type { SharedObject } from '../shared-objects/shared-object.ts';
import type { News, Observer } from '../shared-objects/subscription.ts';
import type { Answerer } from './answers.ts';

export type ShareCommand = Extract<Command, { kind: `share${string}` }>;

/** What of a script its shared objects need. */
export interface SharingScript {
  readonly isBusy: boolean;
  post(delivery: Delivery): void;
  /** Before everything else that waits. */
  postFirst(delivery: Delivery): void;
}

interface Share {
  readonly object: SharedObject;
  readonly observer: Observer;
}

/** Of names and values in one answer: asking has a bound (runtime/wall/asks.ts). */
const PAGE_BYTES = 256 * 1024;

/** The shared objects that one script has opened. What they hold is the instance's, and outlives it. */
export class ScriptShares {
  readonly #objects: SharedObjects;
  readonly #script: () => SharingScript;
  readonly #shares = new Map<number, Share>();
  #nextNumber = 1;
  #isClosed = false;

  /** Blocking requests of `SharedObject` (runtime/share/). */
  readonly answerers: Readonly<Record<string, Answerer>> = {
    'share.open': (name, isPersistent) => this.#open(String(name), isPersistent === true),
    'share.slots': (number, from) => this.#slots(Number(number), Number(from)),
    'share.dirty': (number) => this.#find(number).durability?.isDirty ?? false,
    'share.flush': (number) => this.#find(number).durability?.flush() ?? false,
    'share.commit': (name) => this.#objects.commit(typeof name === 'string' ? name : undefined),
    'share.clear': (path) => this.#clear(String(path)),
  };

  constructor(objects: SharedObjects, script: () => SharingScript) {
    this.#objects = objects;
    this.#script = script;
    objects.scriptCame();
  }

  /** A turn is over: changes of clients have waited for that. */
  settle(): void {
    for (const { object } of this.#shares.values()) object.settle();
  }

  obey(command: ShareCommand): void {
    const share = this.#shares.get(command.object);
    if (!share) return;
    const { object, observer } = share;
    switch (command.kind) {
      case 'share':
        return object.change(command.changes);
      case 'share-lock':
        return object.lock(observer, command.isLocked);
      case 'share-purge':
        return object.slots.purge(command.version);
      case 'share-auto-commit':
        return object.setAutomatic(command.isAutomatic);
      case 'share-resync-depth':
        object.slots.resyncDepth = command.depth;
        return;
      case 'share-save':
        return this.#save(object, command.request);
      case 'share-close':
        this.#shares.delete(command.object);
        object.ignore(observer);
        this.#objects.release(object);
        return;
    }
  }

  /** The script is over. Called once. */
  close(): void {
    this.#isClosed = true;
    const shares = [...this.#shares.values()];
    this.#shares.clear();
    for (const { object, observer } of shares) object.ignore(observer);
    this.#objects.scriptLeft(shares.map(({ object }) => object));
  }

  #save({ durability }: SharedObject, request: number): void {
    const done = (isOk: boolean) => this.#script().post({ kind: 'shared-saved', request, isOk });
    if (durability) void durability.flush().then(done);
    else done(true);
  }

  /** How many objects it cleared, and which of the script's. */
  async #clear(path: string): Promise<[number, number[]]> {
    const cleared = await this.#objects.clear(path);
    const own = [...this.#shares].filter(([, { object }]) => cleared.has(object.name));
    return [cleared.size, own.map(([number]) => number)];
  }

  #find(number: unknown): SharedObject {
    const share = this.#shares.get(Number(number));
    if (!share) throw new StagewireError('E_SHARED_OBJECT', 'app', 'the shared object is closed');
    return share.object;
  }

  /** The number under which the script has it, what it is like, and how many slots of what size it may have. */
  async #open(name: string, isPersistent: boolean): Promise<SharedObjectOpened> {
    const object = await this.#objects.open(name, isPersistent);
    if (this.#isClosed) throw new StagewireError('E_SHARED_OBJECT', 'app', 'the script is over');
    const number = this.#nextNumber++;
    const script = this.#script;
    const observer: Observer = {
      get isBusy() {
        return script().isBusy;
      },
      changed: (news) => this.#tell(number, news),
    };
    this.#shares.set(number, { object, observer });
    object.observe(observer);
    const { slots, slotBytes } = this.#objects.limits;
    const isAutomatic = object.durability?.isAutomatic ?? true;
    return [number, object.version, slots, slotBytes, isAutomatic, object.slots.resyncDepth];
  }

  /** Names and values of slots, from one on; and where the rest begins, or 0. */
  #slots(number: number, from: number): [string[], Uint8Array[], number] {
    const { slots } = this.#find(number);
    const names: string[] = [];
    const values: Uint8Array[] = [];
    let at = 0;
    let bytes = 0;
    for (const [name, { value }] of slots) {
      if (at++ < from) continue;
      if (bytes > PAGE_BYTES || names.length >= MAX_PAGE) return [names, values, at - 1];
      names.push(name);
      values.push(value.bytes);
      bytes += name.length + value.bytes.length;
    }
    return [names, values, 0];
  }

  #tell(object: number, { client, version, changes, list, sends, status: code }: News): void {
    const script = this.#script();
    if (changes.length > 0) {
      script.postFirst({ kind: 'shared-state', object, version, changes: [...changes] });
      script.post({ kind: 'shared-sync', object, client, list: [...list] });
    }
    for (const values of sends) {
      script.post({ kind: 'shared-send', object, client, values: joined(values, 0) });
    }
    if (!code) return;
    const description = 'What has changed is not on disk, and was taken back.';
    script.post({ kind: 'shared-status', object, level: status(code).level, code, description });
  }
}

const MAX_PAGE = 10_000;
