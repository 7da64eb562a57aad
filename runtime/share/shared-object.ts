import type { SharedDelivery } from '../share.ts';
import {
  append,
  apply,
  argumentsOf,
  ask,
  askAfterAll,
  decodeValues,
  functionIn,
  hasOwn,
  hide,
  isClassic,
  isThenable,
  lengthOf,
  makeOpaque,
  makePromise,
  NativeRangeError,
  NativeTypeError,
  natives,
  objectPrototype,
  ownKeys,
  RpcError,
  reading,
  reportError,
  runHandler,
  SafeMap,
  SafeSet,
  send,
  shown,
} from '../shared.ts';
import type { SharedChange, SharedDecision, SharedObjectOpened, SharedSync } from '../wall/sharing.ts';
import { clientIn, linkIn, slotName } from './arguments.ts';
import { ALLOWED, authorize, REFUSED } from './authorize.ts';
import { dataOf } from './data.ts';
import { frozenOnce, frozenValue } from './frozen.ts';
import { copyOf, Slots, type Undo } from './slots.ts';
import { Watchers } from './watchers.ts';

/** By number, as the host knows them, and by name: temporary and persistent ones of one name are two. */
const open = new SafeMap<number, SharedObject>();
const byName = new SafeMap<string, SharedObject>();
const persistentByName = new SafeMap<string, SharedObject>();
/** Whoever waits for `saved`. */
const saving = new SafeMap<number, { resolve: () => void; reject: (error: unknown) => void }>();
const MAX_SAVING = 10_000;
/** Changes in one lock, or twice as many as there may be slots: the host carries them out in one piece. */
const MAX_LOCKED = 20_000;
let lastSave = 0;
/** Only this file makes them. */
const MAKING = {};

type ObjectDelivery = Exclude<SharedDelivery, { kind: 'shared-saved' }>;

let dispatch: (object: SharedObject, delivery: ObjectDelivery, client: unknown) => void;
let empty: (object: SharedObject) => void;
let identify: (object: object) => SharedObjectName | undefined;

export interface SharedObjectName {
  name: string;
  isPersistent: boolean;
}

/**
 * A shared object of the instance (Server-Side ActionScript Language Reference, class SharedObject). The script has a
 * copy of it: current at the start of each handler, and changed by nobody else while one runs. What the script does to
 * it leaves with the turn.
 */
export class SharedObject {
  readonly #number: number;
  readonly #name: string;
  readonly #isPersistent: boolean;
  /** It belongs to another instance: the copy holds what that has said, and what the script does is asked for there. */
  readonly #isProxied: boolean;
  readonly #slots: Slots;
  #version: number;
  #locks = 0;
  /** Of a lock: what is sent when it ends. */
  #changes: SharedChange[] = [];
  #isChanged = false;
  /** How many locks a transaction has found and made: it ends these itself. */
  #floor = 0;
  readonly #watchers = new Watchers();
  #authorize: ((...args: unknown[]) => unknown) | undefined;
  /** The host has been told that there is, or was, an `authorize`. */
  #isGuarded = false;
  /** What the script does while it decides leaves after its decision. */
  #isDeciding = false;
  /** The first message that came while the object was locked: those after it wait until it comes again. */
  #awaited = 0;
  #isClosed = false;
  #autoCommit: boolean;
  #resyncDepth: number;
  #data: object | undefined;

  constructor(making: unknown, name: string, isPersistent: boolean, opened: SharedObjectOpened) {
    if (making !== MAKING)
      throw new NativeTypeError('SharedObject: SharedObject.get opens them, and makes what is not there');
    makeOpaque(this);
    const number = opened[0];
    this.#number = number;
    this.#name = name;
    this.#isPersistent = isPersistent;
    this.#version = opened[1];
    this.#slots = new Slots(opened[2], opened[3]);
    this.#autoCommit = opened[4];
    this.#resyncDepth = opened[5];
    this.#isProxied = opened[6];
    this.#slots.load(number, ask);
  }

  static {
    dispatch = (object, delivery, client) => object.#receive(delivery, client);
    identify = (object) =>
      #name in object && !object.#isClosed
        ? { name: object.#name, isPersistent: object.#isPersistent }
        : undefined;
    empty = (object) => {
      object.#slots.empty();
      object.#version++;
      object.#redo();
    };
  }

  /**
   * The object of that name, made if there is none. The same one each time, until it is closed. With a connection it belongs to
   * the instance at the other end of it.
   */
  static get(name: unknown, persistence?: unknown, connection?: unknown): SharedObject {
    const member = 'SharedObject.get';
    if (typeof name !== 'string' || name === '')
      throw new NativeTypeError(`${member}: expected a name, got ${shown(name)}`);
    if (persistence !== undefined && persistence !== null && typeof persistence !== 'boolean')
      throw new NativeTypeError(`${member}: persistence: expected true or false, got ${shown(persistence)}`);
    const link = linkIn(member, connection);
    const isPersistent = persistence === true;
    const named = isPersistent ? persistentByName : byName;
    const known = named.get(name);
    if (known && link !== 0) known.#attach(member, link);
    if (known) return known;
    const opened = reading(member, () =>
      // What was closed in this turn makes room.
      (link === 0 ? ask : askAfterAll)('share.open', name, isPersistent, link !== 0),
    ) as SharedObjectOpened;
    const object = new SharedObject(MAKING, name, isPersistent, opened);
    open.set(opened[0], object);
    named.set(name, object);
    if (link !== 0) object.#attach(member, link);
    return object;
  }

  #attach(member: string, link: number): void {
    if (!this.#isProxied)
      throw new NativeTypeError(
        `${member}: ${shown(this.#name)} is open already, as an object of this instance`,
      );
    send({ kind: 'share-attach', object: this.#number, link });
  }

  #expectOwn(member: string): void {
    this.#expectOpen(member);
    if (this.#isProxied)
      throw new NativeTypeError(
        `${member}: the shared object ${shown(this.#name)} belongs to another instance, which alone can do that`,
      );
  }

  /** Writes what has changed of the persistent object of that name, or of all of the instance. Whether it is on disk. */
  static commit(name?: unknown): boolean {
    const member = 'SharedObject.commit';
    if (name !== undefined && name !== null && typeof name !== 'string')
      throw new NativeTypeError(`${member}: expected a name, got ${shown(name)}`);
    return reading(member, () => askAfterAll('share.commit', name)) === true;
  }

  get name(): string {
    return this.#name;
  }

  get version(): number {
    return this.#version;
  }

  get isDirty(): boolean {
    if (!this.#isPersistent || this.#isProxied || this.#isClosed) return false;
    return reading('so.isDirty', () => askAfterAll('share.dirty', this.#number)) === true;
  }

  get autoCommit(): boolean {
    return this.#autoCommit;
  }

  set autoCommit(value: unknown) {
    this.#expectOwn('so.autoCommit');
    send({ kind: 'share-auto-commit', object: this.#number, isAutomatic: !!value });
    this.#autoCommit = !!value;
  }

  get resyncDepth(): number {
    return this.#resyncDepth;
  }

  set resyncDepth(value: unknown) {
    if (typeof value !== 'number' || !(value >= -1))
      throw new NativeTypeError(`so.resyncDepth: expected a number of versions, or -1, got ${shown(value)}`);
    this.#expectOwn('so.resyncDepth');
    send({ kind: 'share-resync-depth', object: this.#number, depth: value });
    this.#resyncDepth = value;
  }

  /**
   * New in Stagewire: asked about each change that a client wants to make, before it is made. The host goes on asking when it
   * is taken away, and all is allowed then.
   */
  get authorize(): unknown {
    return this.#authorize;
  }

  set authorize(value: unknown) {
    const handler = functionIn('so.authorize', value);
    this.#expectOwn('so.authorize');
    if (handler && !this.#isGuarded) send({ kind: 'share-guard', object: this.#number });
    this.#isGuarded ||= handler !== undefined;
    this.#authorize = handler;
  }

  /** A copy: to change the slot, set it. */
  getProperty(name: unknown): unknown {
    const bytes = this.#slots.get(slotName('so.getProperty', name));
    return bytes && decodeValues(bytes)[0];
  }

  /** New in Stagewire: slots as properties. */
  get data(): object {
    this.#data ??= dataOf({
      read: (name) => this.#read(name),
      has: (name) => this.#slots.has(name),
      write: (name, value) => this.#set('so.data', name, value, 0),
      names: () => this.#slots.names,
    });
    return this.#data;
  }

  getPropertyNames(): string[] | null {
    const { names } = this.#slots;
    // What classic scripts look for, as the manual's own do.
    return names.length === 0 && isClassic ? null : names;
  }

  /** Null or undefined deletes the slot. With `until` it goes when that client leaves. */
  setProperty(name: unknown, value: unknown, options?: unknown): void {
    const member = 'so.setProperty';
    const key = slotName(member, name);
    const client = clientIn(member, options);
    if (client) this.#expectOwn(member);
    if (!client) this.#set(member, key, value, 0);
    else if (client.standing === 'gone') this.#set(member, key, undefined, 0);
    else this.#set(member, key, value, client.number);
  }

  /** As it is now, frozen. */
  #read(name: string): unknown {
    const bytes = this.#slots.get(name);
    return bytes && frozenValue(bytes);
  }

  #set(member: string, key: string, value: unknown, until: number): void {
    const bytes = argumentsOf(member, [value]);
    if (this.#isProxied) {
      const problem = isNothing(bytes) ? '' : this.#slots.whyNoRoom(key, bytes);
      if (problem !== '') throw new NativeRangeError(`${member}: ${problem}`);
      const change: SharedChange = isNothing(bytes)
        ? { op: 'remove', name: key }
        : { op: 'set', name: key, value: bytes };
      return this.#change(member, change);
    }
    if (isNothing(bytes)) {
      if (!this.#slots.has(key)) return;
      this.#expectRoom(member);
      this.#slots.delete(key);
      this.#change(member, { op: 'remove', name: key });
      return;
    }
    const problem = this.#slots.whyNoRoom(key, bytes);
    if (problem !== '') throw new NativeRangeError(`${member}: ${problem}`);
    const known = this.#slots.get(key);
    const isChange = !known || !isSame(known, bytes);
    if (!isChange && until === 0 && !this.#slots.isBound(key)) return;
    this.#expectRoom(member);
    this.#slots.set(key, bytes, until !== 0);
    if (!isChange) return this.#change(member, { op: 'until', name: key, client: until });
    this.#change(member, { op: 'set', name: key, value: bytes }, until);
  }

  size(): number {
    return this.#slots.size;
  }

  clear(): boolean {
    this.#expectRoom('so.clear');
    if (this.#isProxied) {
      this.#change('so.clear', { op: 'clear' });
      return true;
    }
    this.#slots.clear();
    this.#change('so.clear', { op: 'clear' });
    return true;
  }

  /** Calls that method of every subscriber. */
  send(method: unknown, ...args: unknown[]): boolean {
    this.#send('so.send', method, args);
    return true;
  }

  /** As `send`, after what was changed before it: within a lock it keeps its place. */
  mark(method: unknown, ...args: unknown[]): boolean {
    this.#send('so.mark', method, args);
    return true;
  }

  /** Changes of clients wait, and the script's own are one, until as many `unlock`. Returns how many locks there are. */
  lock(): number {
    this.#expectOpen('so.lock');
    if (this.#isProxied) return -1;
    if (this.#locks === 0) send({ kind: 'share-lock', object: this.#number, isLocked: true });
    return ++this.#locks;
  }

  unlock(): number {
    this.#expectOpen('so.unlock');
    if (this.#isProxied) return -1;
    if (this.#locks <= this.#floor) return this.#locks;
    if (this.#locks > 1) return --this.#locks;
    try {
      this.#commit();
    } finally {
      send({ kind: 'share-lock', object: this.#number, isLocked: false });
      this.#locks = 0;
    }
    return 0;
  }

  /**
   * New in Stagewire: what `change` does is one change. When it throws, it has changed nothing. It must be done when it
   * returns: what it would do after an `await` would be among what other handlers do.
   */
  transaction(change: unknown): unknown {
    const member = 'so.transaction';
    if (typeof change !== 'function')
      throw new NativeTypeError(`${member}: expected a function, got ${shown(change)}`);
    this.#expectOwn(member);
    this.lock();
    const floor = this.#floor;
    const before = { changes: this.#changes.length, isChanged: this.#isChanged, locks: this.#locks };
    const undo: Undo = [];
    const outer = this.#slots.record(undo);
    this.#floor = this.#locks;
    let isDone = false;
    try {
      const result: unknown = apply(change as () => unknown, undefined, []);
      if (isThenable(result))
        throw new NativeTypeError(
          `${member}: the function has returned a promise: what it changes after an await needs lock and unlock`,
        );
      isDone = true;
      return result;
    } finally {
      this.#slots.record(outer);
      this.#floor = floor;
      if (!this.#isClosed) {
        if (isDone) for (let i = 0; outer && i < undo.length; i++) append(outer, undo[i]!);
        else this.#rollBack(undo, before);
        this.unlock();
      }
    }
  }

  #rollBack(undo: Undo, before: { changes: number; isChanged: boolean; locks: number }): void {
    this.#slots.rollBack(undo);
    this.#changes.length = before.changes;
    this.#isChanged = before.isChanged;
    this.#locks = before.locks;
  }

  /** New in Stagewire: `listener` hears when a client changes that slot. Returns what ends it. */
  watch(name: unknown, listener: unknown): () => void {
    const key = slotName('so.watch', name);
    this.#expectOpen('so.watch');
    return this.#watchers.add(key, listener);
  }

  /** Slots that were deleted before that version are forgotten. */
  purge(version: unknown): void {
    this.#expectOwn('so.purge');
    if (typeof version !== 'number' || !(version >= 0))
      throw new NativeTypeError(`so.purge: expected a version, got ${shown(version)}`);
    const most = version < this.#version ? version : this.#version;
    send({ kind: 'share-purge', object: this.#number, version: most });
  }

  /** Writes what has changed, and waits for the disk. Whether it is there; false for a temporary object. */
  flush(): boolean {
    this.#expectOpen('so.flush');
    if (!this.#isPersistent || this.#isProxied) return false;
    return reading('so.flush', () => askAfterAll('share.flush', this.#number)) === true;
  }

  /** The same without waiting in between: rejects with the status when it is not on disk. */
  saved(): Promise<void> {
    const member = 'so.saved';
    this.#expectOwn(member);
    if (saving.size >= MAX_SAVING)
      throw new NativeRangeError(`${member}: ${MAX_SAVING} of them are waiting already`);
    const request = ++lastSave;
    send({ kind: 'share-save', object: this.#number, request });
    return makePromise<void>((resolve, reject) => saving.set(request, { resolve: () => resolve(), reject }));
  }

  /** The script hears of it no more. */
  close(): void {
    if (this.#isClosed) return;
    if (this.#locks > 0) this.#commit();
    this.#locks = 0;
    this.#isClosed = true;
    open.delete(this.#number);
    const named = this.#isPersistent ? persistentByName : byName;
    if (named.get(this.#name) === this) named.delete(this.#name);
    send({ kind: 'share-close', object: this.#number });
  }

  #send(member: string, method: unknown, args: unknown[]): void {
    if (typeof method !== 'string' || method === '' || API.has(method))
      throw new NativeTypeError(`${member}: expected the name of a method, got ${shown(method)}`);
    this.#expectRoom(member);
    const all: unknown[] = [method];
    for (let i = 0; i < args.length; i++) append(all, args[i]);
    this.#change(member, { op: 'send', values: argumentsOf(member, all) });
  }

  #change(member: string, change: SharedChange, until = 0): void {
    this.#expectOpen(member);
    append(this.#changes, change);
    if (until !== 0 && change.op === 'set')
      append(this.#changes, { op: 'until', name: change.name, client: until });
    if (change.op !== 'send' && change.op !== 'until') this.#isChanged = true;
    if (this.#locks === 0) this.#commit();
  }

  #commit(): void {
    const changes = this.#changes;
    if (changes.length === 0 || this.#isDeciding) return;
    const isChanged = this.#isChanged;
    this.#changes = [];
    this.#isChanged = false;
    try {
      send({ kind: 'share', object: this.#number, changes });
    } catch (error) {
      // The turn has sent too much: nothing of this has happened.
      if (!this.#isProxied) this.#slots.load(this.#number, askAfterAll);
      throw error;
    }
    if (isChanged && !this.#isProxied) this.#version++;
  }

  #expectRoom(member: string): void {
    const twice = this.#slots.most * 2;
    const most = MAX_LOCKED > twice ? MAX_LOCKED : twice;
    if (this.#changes.length >= most)
      throw new NativeRangeError(`${member}: ${most} changes wait for so.unlock, and that is the limit`);
  }

  #expectOpen(member: string): void {
    if (this.#isClosed)
      throw new NativeTypeError(`${member}: the shared object ${shown(this.#name)} is closed`);
  }

  #receive(delivery: ObjectDelivery, client: unknown): void {
    switch (delivery.kind) {
      case 'shared-status': {
        const onStatus = functionIn('so.onStatus', (this as { onStatus?: unknown }).onStatus);
        const { level, code, description } = delivery;
        if (onStatus) runHandler('so.onStatus', onStatus, this, [{ level, code, description }]);
        return;
      }
      case 'shared-state':
        this.#version = delivery.version;
        for (let i = 0; i < delivery.changes.length; i++) this.#slots.take(delivery.changes[i]!);
        return this.#redo();
      case 'shared-guard':
        return this.#decide(delivery.request, delivery.changes, client);
      case 'shared-unlock':
        return this.#breakLock(delivery.waitedMs);
      case 'shared-sync':
        try {
          this.#tellSync(delivery.list, client);
        } finally {
          this.#tellWatchers(delivery.list, client);
        }
        return;
      case 'shared-send': {
        const values = decodeValues(delivery.values);
        const method = values[0];
        if (typeof method !== 'string' || API.has(method)) return;
        const handler: unknown = (this as unknown as Record<string, unknown>)[method];
        if (typeof handler !== 'function' || isOfObjects(method)) return;
        const args: unknown[] = [];
        for (let i = 1; i < values.length; i++) append(args, values[i]);
        runHandler(`so.${method}`, handler as never, this, args);
        return;
      }
    }
  }

  /**
   * What a client wants to do in one message. Each part is decided when those before it are done: to the copy at once, by
   * the host when it has heard.
   */
  #decide(request: number, changes: readonly SharedChange[], client: unknown): void {
    if (this.#locks > 0 || (this.#awaited !== 0 && request > this.#awaited)) {
      if (this.#awaited === 0) this.#awaited = request;
      return this.#tellVerdict(request, true, []);
    }
    this.#awaited = 0;
    const decisions: SharedDecision[] = [];
    const undo: Undo = [];
    const before = { changes: this.#changes.length, isChanged: this.#isChanged, locks: this.#locks };
    let isChanged = false;
    this.#slots.record(undo);
    this.#isDeciding = true;
    try {
      for (let i = 0; i < changes.length; i++) {
        const decision = this.#decisionOn(changes[i]!, client);
        append(decisions, decision);
        isChanged = this.#carryOut(changes[i]!, decision) || isChanged;
      }
    } finally {
      this.#slots.record(undefined);
      this.#isDeciding = false;
    }
    try {
      this.#tellVerdict(request, false, decisions);
      if (isChanged) this.#version++;
    } catch (error) {
      // Values in the place of others were too much for one turn.
      reportError(error, 'so.authorize');
      this.#rollBack(undo, { ...before, changes: this.#changes.length });
      for (let i = 0; i < decisions.length; i++) decisions[i] = REFUSED;
      this.#tellVerdict(request, false, decisions);
    }
    // What the handler has done comes after what it has decided.
    this.#redo();
    if (this.#locks === 0) this.#commit();
  }

  #decisionOn(change: SharedChange, client: unknown): SharedDecision {
    if (change.op === 'set' && this.#slots.whyNoRoom(change.name, change.value) !== '') return REFUSED;
    if (!this.#authorize) return ALLOWED;
    if (typeof client !== 'object' || client === null) return REFUSED; // it has left, before another script took over
    const read = (name: string) => this.#read(name);
    const decision = authorize(change, { so: this, handler: this.#authorize, client, read });
    if (decision.op !== 'replace' || change.op === 'send' || change.op === 'clear') return decision;
    const name = (change as { name: string }).name;
    const problem = isNothing(decision.value) ? '' : this.#slots.whyNoRoom(name, decision.value);
    if (problem === '') return decision;
    reportError(new NativeRangeError(`so.authorize: ${problem}`), 'so.authorize');
    return REFUSED;
  }

  /** Does to the copy what was decided; whether that changed it. */
  #carryOut(change: SharedChange, decision: SharedDecision): boolean {
    if (decision.op === 'refuse' || change.op === 'send') return false;
    if (change.op === 'clear') {
      this.#slots.clear();
      return true;
    }
    const { name } = change as { name: string };
    const bytes = decision.op === 'replace' ? decision.value : change.op === 'set' ? change.value : undefined;
    const known = this.#slots.get(name);
    const isSet = bytes !== undefined && !isNothing(bytes);
    if (isSet ? known !== undefined && isSame(known, bytes) : known === undefined) return false;
    if (!isSet) this.#slots.delete(name);
    else this.#slots.set(name, copyOf(bytes), this.#slots.isBound(name));
    return true;
  }

  #tellVerdict(request: number, isLater: boolean, decisions: SharedDecision[]): void {
    const isHeard = hasOwn(this, 'onSync') || !this.#watchers.isEmpty;
    send({ kind: 'share-verdict', object: this.#number, request, isLater, isHeard, decisions });
  }

  #breakLock(waitedMs: number): void {
    if (this.#locks === 0) return;
    this.#locks = 1;
    this.unlock();
    const text = `the lock of the shared object ${shown(this.#name)} was broken: a client has waited for ${waitedMs} ms (limits.lockTimeoutMs)`;
    send({ kind: 'log', level: 'warn', text });
  }

  #tellSync(changes: readonly SharedSync[], client: unknown): void {
    // Looked up on the object alone: FMS never found one on the prototype.
    const onSync = hasOwn(this, 'onSync')
      ? functionIn('so.onSync', (this as { onSync?: unknown }).onSync)
      : undefined;
    if (!onSync) return;
    const list: object[] = [];
    for (let i = 0; i < changes.length; i++) {
      const { code, name, oldValue } = changes[i]!;
      const entry: Record<string, unknown> = { code, name, oldValue: undefined, client };
      if (lengthOf(oldValue) > 0) entry.oldValue = decodeValues(oldValue)[0];
      append(list, entry);
    }
    runHandler('so.onSync', onSync, this, [list]);
  }

  #tellWatchers(changes: readonly SharedSync[], client: unknown): void {
    for (let i = 0; i < changes.length; i++) {
      const { code, name, oldValue } = changes[i]!;
      // What the script has done itself is not told.
      if (code === 'success' || code === 'reject') continue;
      const names = code === 'clear' ? this.#watchers.names : [name];
      for (let k = 0; k < names.length; k++) {
        if (!this.#watchers.has(names[k]!)) continue;
        const old = lengthOf(oldValue) > 0 ? frozenOnce(oldValue) : undefined;
        const change = { code, name: names[k], oldValue: old, client };
        this.#watchers.tell(names[k]!, this, [this.#read(names[k]!), change]);
      }
    }
  }

  /** What the script has done in a lock comes after what others have. */
  #redo(): void {
    for (let i = 0; i < this.#changes.length; i++) this.#slots.take(this.#changes[i]!);
  }
}

hide(SharedObject, 'name', 'SharedObject');

/** Classic scripts have what Flash Media Server had: these names are theirs. */
const MODERN = ['authorize', 'data', 'saved', 'transaction', 'watch'];
for (let i = 0; isClassic && i < MODERN.length; i++)
  natives.deleteProperty(SharedObject.prototype, MODERN[i]!);

/** Names that are no methods of a script's. What it puts on the prototype later on is. */
const API = new SafeSet<unknown>();
const apiNames = ownKeys(SharedObject.prototype);
for (let i = 0; i < apiNames.length; i++) API.add(apiNames[i]);

/** `application.clearSharedObjects` has emptied them. */
export function cleared(numbers: readonly number[]): void {
  for (let i = 0; i < numbers.length; i++) {
    const object = open.get(numbers[i]!);
    if (object) empty(object);
  }
}

/** What a shared object is called; undefined for anything else, and for one that was closed. */
export function nameOf(object: object): SharedObjectName | undefined {
  return identify(object);
}

export function receive(delivery: SharedDelivery, client: unknown): void {
  if (delivery.kind === 'shared-saved') return finishSaving(delivery.request, delivery.isOk);
  const object = open.get(delivery.object);
  if (!object) return;
  try {
    dispatch(object, delivery, client);
  } catch (error) {
    const handler = delivery.kind === 'shared-status' ? 'so.onStatus' : 'so.onSync';
    reportError(error, handler); // it is no function
  }
}

function finishSaving(request: number, isOk: boolean): void {
  const waiting = saving.get(request);
  saving.delete(request);
  const code = 'SharedObject.Flush.Failed';
  if (isOk) waiting?.resolve();
  else waiting?.reject(new RpcError(code, 'What has changed is not on disk, and was taken back.'));
}

/** Whether every object has that: a client is not to call what JavaScript put there. */
function isOfObjects(name: string): boolean {
  return hasOwn(objectPrototype, name);
}

/** Null and undefined, as AMF0 says them. */
function isNothing(bytes: Uint8Array): boolean {
  return lengthOf(bytes) === 1 && (bytes[0] === 5 || bytes[0] === 6);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (lengthOf(a) !== lengthOf(b)) return false;
  for (let i = 0; i < lengthOf(a); i++) if (a[i] !== b[i]) return false;
  return true;
}
