import type { Command } from '../../runtime/wall/commands.ts';
import type { Delivery } from '../../runtime/wall/deliveries.ts';
import type { SharedChange, SharedObjectOpened } from '../../runtime/wall/sharing.ts';
import { joined } from '../../wire/shared-values.ts';
import { status } from '../../wire/status.ts';
import { StagewireError } from '../base/errors.ts';
import type { SharedObjects } from '../shared-objects/directory.ts';
import type { AnyObject } from '../shared-objects/objects.ts';
import type { ProxiedObject } from '../shared-objects/proxied-object.ts';
import type { SharedObject } from '../shared-objects/shared-object.ts';
import type { Slot } from '../shared-objects/slots.ts';
import type { News, Observer } from '../shared-objects/subscription.ts';
import type { Answerer } from './answers.ts';

export type ShareCommand = Extract<Command, { kind: `share${string}` }>;

/** What of a script its shared objects need. */
export interface SharingScript {
  readonly isBusy: boolean;
  readonly mailbox: { readonly isFull: boolean };
  post(delivery: Delivery): void;
  /** Before everything else that waits. */
  postFirst(delivery: Delivery): void;
}

interface Share {
  readonly object: AnyObject;
  readonly observer: Observer;
  /** Whether the script has use for news of what it has decided itself. */
  isHeard: boolean;
  /** What it is being told of, piece by piece. */
  page?: readonly (readonly [string, Slot])[];
}

/** What brings objects of other instances to a script. */
export interface Remotes {
  attach(object: ProxiedObject, link: number): void;
  /** The object is closed. */
  release(object: ProxiedObject): void;
}

/** Of names and values in one answer: asking has a bound (runtime/wall/asks.ts). */
const PAGE_BYTES = 256 * 1024;

/** The shared objects that one script has opened. What they hold is the instance's, and outlives it. */
export class ScriptShares {
  readonly #objects: SharedObjects;
  readonly #remotes: () => Remotes;
  readonly #script: () => SharingScript;
  readonly #hasClient: (client: number) => boolean;
  readonly #warn: (text: string) => void;
  readonly #shares = new Map<number, Share>();
  #nextNumber = 1;
  #isClosed = false;
  /** What it had open when it ended. */
  readonly #left = new Map<number, AnyObject>();
  #isInCharge = false;
  /** Until it is in charge another script is: that one hears of what clients do, and this one's copies are right. */
  isSuccessor = false;

  /** Blocking requests of `SharedObject` (runtime/share/). */
  readonly answerers: Readonly<Record<string, Answerer>> = {
    'share.open': (name, isPersistent, isProxied) =>
      this.#open(String(name), isPersistent === true, isProxied === true),
    'share.slots': (number, from) => this.#slots(Number(number), Number(from)),
    'share.dirty': (number) => this.#find(number).durability?.isDirty ?? false,
    'share.flush': (number) => this.#find(number).durability?.flush() ?? false,
    'share.commit': (name) => this.#objects.objects.commit(typeof name === 'string' ? name : undefined),
    'share.clear': (path) => this.#clear(String(path)),
  };

  /** `hasClient`: whether one of that number is there. */
  constructor(
    objects: SharedObjects,
    remotes: () => Remotes,
    script: () => SharingScript,
    hasClient: (client: number) => boolean,
    warn: (text: string) => void,
  ) {
    this.#warn = warn;
    this.#objects = objects;
    this.#remotes = remotes;
    this.#script = script;
    this.#hasClient = hasClient;
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
    if (object.isProxied) return this.#obeyForProxy(object, observer, command);
    switch (command.kind) {
      case 'share':
        this.#change(object, observer, command.changes);
        return this.#bind(object, command.changes);
      case 'share-lock':
        return object.lock(observer, command.isLocked);
      case 'share-guard':
        return object.guard(observer);
      case 'share-verdict':
        share.isHeard = command.isHeard;
        return object.decide(observer, command.request, command.isLater ? undefined : command.decisions);
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
        return this.#release(command.object, object, observer);
      case 'share-attach':
        return; // the runtime knows better
    }
  }

  /** What else there is concerns the owner alone. */
  #obeyForProxy(object: ProxiedObject, observer: Observer, command: ShareCommand): void {
    switch (command.kind) {
      case 'share':
        return object.change(command.changes, observer);
      case 'share-attach':
        return this.#remotes().attach(object, command.link);
      case 'share-close':
        this.#remotes().release(object);
        return this.#release(command.object, object, observer);
      case 'share-save':
        return this.#script().post({ kind: 'shared-saved', request: command.request, isOk: false });
    }
  }

  #release(number: number, object: AnyObject, observer: Observer): void {
    this.#shares.delete(number);
    object.ignore(observer);
    this.#objects.release(object);
  }

  #change(object: SharedObject, observer: Observer, changes: readonly SharedChange[]): void {
    const refused = object.change(changes, observer);
    if (!refused) return;
    const { slot, limit } = refused;
    const what = `the shared object "${object.name}" has no room for its slot "${slot.slice(0, 80)}"`;
    this.#warn(`${what}: limits.${limit} is ${this.#objects.limits[limit]}`);
  }

  /** Which slots go with which client: what the script sets without a word about that stays. */
  #bind(object: SharedObject, changes: readonly SharedChange[]): void {
    for (const change of changes) {
      if (change.op === 'set') object.slots.bind(change.name, 0);
      if (change.op !== 'until') continue;
      const { name, client } = change;
      this.#objects.bind(object, name, client);
      // It has left while the script did not know.
      if (client !== 0 && !this.#hasClient(client)) object.vacate(client);
    }
  }

  /** The script is over. Called once. */
  close(): void {
    this.#isClosed = true;
    const shares = [...this.#shares.values()];
    for (const [number, { object }] of this.#shares) this.#left.set(number, object);
    this.#shares.clear();
    for (const { object, observer } of shares) object.ignore(observer, true);
    this.#objects.scriptLeft(shares.map(({ object }) => object));
  }

  /** From now on it is the script of the instance, and knows who is there. */
  takeOver(): void {
    this.#isInCharge = true;
    this.#objects.takenOver(true);
  }

  /** The object that the script knows by that number. */
  objectOf(number: number): AnyObject | undefined {
    return this.#shares.get(number)?.object ?? this.#left.get(number);
  }

  /** By which number the script knows that object, if it has it open. */
  numberOf(object: AnyObject | undefined): number | undefined {
    for (const [number, share] of this.#shares) if (share.object === object) return number;
    return undefined;
  }

  /** After its end: what it died of is not decided by the next, and what it was lost with only once. */
  blame(culprit: Delivery | undefined, lost: readonly Delivery[]): void {
    for (const delivery of culprit ? [culprit, ...lost] : lost)
      if (delivery.kind === 'shared-guard') {
        const object = this.#left.get(delivery.object);
        if (object && !object.isProxied) object.giveUp(delivery.request, delivery === culprit);
      }
  }

  #save({ durability }: SharedObject, request: number): void {
    const done = (isOk: boolean) => this.#script().post({ kind: 'shared-saved', request, isOk });
    // What it has written is done when it takes over.
    if (this.isSuccessor && !this.#isInCharge) done(true);
    else if (durability) void durability.flush().then(done);
    else done(true);
  }

  /** How many objects it cleared, and which of the script's. */
  async #clear(path: string): Promise<[number, number[]]> {
    const observers = new Map(
      [...this.#shares.values()].map(({ object, observer }): [AnyObject, Observer] => [object, observer]),
    );
    const cleared = await this.#objects.objects.clear(path, (object) => observers.get(object));
    const own = [...this.#shares].filter(([, { object }]) => !object.isProxied && cleared.has(object.name));
    return [cleared.size, own.map(([number]) => number)];
  }

  #find(number: unknown): AnyObject {
    const share = this.#shares.get(Number(number));
    if (!share) throw new StagewireError('E_SHARED_OBJECT', 'app', 'the shared object is closed');
    return share.object;
  }

  /** The number under which the script has it, what it is like, and how many slots of what size it may have. */
  async #open(name: string, isPersistent: boolean, isProxied: boolean): Promise<SharedObjectOpened> {
    const object = isProxied
      ? await this.#objects.openProxy(name, isPersistent)
      : await this.#objects.open(name, isPersistent);
    if (this.#isClosed) throw new StagewireError('E_SHARED_OBJECT', 'app', 'the script is over');
    const number = this.#nextNumber++;
    const script = this.#script;
    const isInCharge = () => this.#isInCharge;
    const observer: Observer = {
      get isBusy() {
        return script().isBusy;
      },
      get isInCharge() {
        return isInCharge();
      },
      changed: (news, isKnown) => this.#tell(number, news, isKnown),
      ask: (request, client, changes) => {
        if (script().mailbox.isFull) return false;
        script().post({ kind: 'shared-guard', object: number, request, client, changes: [...changes] });
        return true;
      },
      unlock: (waitedMs) => script().post({ kind: 'shared-unlock', object: number, waitedMs }),
    };
    this.#shares.set(number, { object, observer, isHeard: true });
    object.observe(observer);
    const { slots, slotBytes } = this.#objects.limits;
    const isAutomatic = object.durability?.isAutomatic ?? true;
    const version = object.isProxied ? object.ownerVersion : object.version;
    const { resyncDepth } = object.slots;
    return [number, version, slots, slotBytes, isAutomatic, resyncDepth, object.isProxied];
  }

  /** Names and values of slots, from one on; where the rest begins, or 0; and which of them go with a client. */
  #slots(number: number, from: number): [string[], Uint8Array[], number, string[]] {
    const { slots } = this.#find(number);
    const share = this.#shares.get(number)!;
    // As they were at the first question: what changes meanwhile is posted.
    if (from === 0) share.page = [...slots];
    const { page = [] } = share;
    const names: string[] = [];
    const values: Uint8Array[] = [];
    const bound: string[] = [];
    let bytes = 0;
    for (let at = from; at < page.length; at++) {
      const [name, { value }] = page[at]!;
      if (bytes > PAGE_BYTES || names.length >= MAX_PAGE) return [names, values, at, bound];
      names.push(name);
      values.push(value.bytes);
      if (slots.presence.has(name)) bound.push(name);
      bytes += name.length + value.bytes.length;
    }
    delete share.page;
    return [names, values, 0, bound];
  }

  #tell(object: number, news: News, isKnown: boolean): void {
    const { client, version, changes, list, sends, status: problem, isWhole } = news;
    const script = this.#script();
    if (changes.length > 0 && !isKnown)
      script.postFirst({ kind: 'shared-state', object, version, changes: [...changes] });
    if (this.isSuccessor && !this.#isInCharge) return;
    if ((list.length > 0 || isWhole) && (!isKnown || this.#shares.get(object)?.isHeard))
      script.post({ kind: 'shared-sync', object, client, list: [...list] });
    for (const values of sends) {
      script.post({ kind: 'shared-send', object, client, values: joined(values, 0) });
    }
    if (!problem) return;
    const { code, description } = problem;
    script.post({ kind: 'shared-status', object, level: status(code).level, code, description });
  }
}

const MAX_PAGE = 10_000;
