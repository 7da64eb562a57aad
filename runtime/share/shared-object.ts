import type { SharedDelivery } from '../share.ts';
import {
  append,
  argumentsOf,
  ask,
  askAfterAll,
  Bytes,
  decodeValues,
  functionIn,
  hasOwn,
  hide,
  isClassic,
  lengthOf,
  makeOpaque,
  makePromise,
  NativeRangeError,
  NativeTypeError,
  objectPrototype,
  ownKeys,
  RpcError,
  reading,
  reportError,
  runHandler,
  SafeMap,
  SafeSet,
  send,
  setBytes,
  shown,
} from '../shared.ts';
import type { SharedChange, SharedObjectOpened } from '../wall/sharing.ts';

/** By number, as the host knows them, and by name: temporary and persistent ones of one name are two. */
const open = new SafeMap<number, SharedObject>();
const byName = new SafeMap<string, SharedObject>();
const persistentByName = new SafeMap<string, SharedObject>();
/** Whoever waits for `saved`. */
const saving = new SafeMap<number, { resolve: () => void; reject: (error: unknown) => void }>();
const MAX_SAVING = 10_000;
let lastSave = 0;
/** Only this file makes them. */
const MAKING = {};

type ObjectDelivery = Exclude<SharedDelivery, { kind: 'shared-saved' }>;

let dispatch: (object: SharedObject, delivery: ObjectDelivery, client: unknown) => void;
let empty: (object: SharedObject) => void;

/**
 * A shared object of the instance (Server-Side ActionScript Language Reference, class SharedObject). The script has a
 * copy of it: current at the start of each handler, and changed by nobody else while one runs. What the script does to
 * it leaves with the turn.
 */
export class SharedObject {
  readonly #number: number;
  readonly #name: string;
  readonly #isPersistent: boolean;
  readonly #slots = new SafeMap<string, Uint8Array>();
  readonly #limits: { slots: number; slotBytes: number };
  #version: number;
  #locks = 0;
  /** Of a lock: what is sent when it ends. */
  #changes: SharedChange[] = [];
  #isChanged = false;
  #isClosed = false;
  #autoCommit: boolean;
  #resyncDepth: number;

  constructor(making: unknown, name: string, isPersistent: boolean, opened: SharedObjectOpened) {
    if (making !== MAKING)
      throw new NativeTypeError('SharedObject: SharedObject.get opens them, and makes what is not there');
    makeOpaque(this);
    const number = opened[0];
    this.#number = number;
    this.#name = name;
    this.#isPersistent = isPersistent;
    this.#version = opened[1];
    this.#limits = { slots: opened[2], slotBytes: opened[3] };
    this.#autoCommit = opened[4];
    this.#resyncDepth = opened[5];
    let from = 0;
    do {
      const page = ask('share.slots', number, from) as [string[], Uint8Array[], number];
      for (let i = 0; i < page[0].length; i++) this.#slots.set(page[0][i]!, page[1][i]!);
      from = page[2];
    } while (from > 0);
  }

  static {
    dispatch = (object, delivery, client) => object.#receive(delivery, client);
    empty = (object) => {
      object.#slots.clear();
      object.#version++;
    };
  }

  /** The object of that name, made if there is none. The same one each time, until it is closed. */
  static get(name: unknown, persistence?: unknown): SharedObject {
    const member = 'SharedObject.get';
    if (typeof name !== 'string' || name === '')
      throw new NativeTypeError(`${member}: expected a name, got ${shown(name)}`);
    if (persistence !== undefined && persistence !== null && typeof persistence !== 'boolean')
      throw new NativeTypeError(`${member}: persistence: expected true or false, got ${shown(persistence)}`);
    const isPersistent = persistence === true;
    const named = isPersistent ? persistentByName : byName;
    const known = named.get(name);
    if (known) return known;
    const opened = reading(member, () => ask('share.open', name, isPersistent)) as SharedObjectOpened;
    const object = new SharedObject(MAKING, name, isPersistent, opened);
    open.set(opened[0], object);
    named.set(name, object);
    return object;
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
    if (!this.#isPersistent || this.#isClosed) return false;
    return reading('so.isDirty', () => askAfterAll('share.dirty', this.#number)) === true;
  }

  get autoCommit(): boolean {
    return this.#autoCommit;
  }

  set autoCommit(value: unknown) {
    this.#expectOpen('so.autoCommit');
    this.#autoCommit = !!value;
    send({ kind: 'share-auto-commit', object: this.#number, isAutomatic: this.#autoCommit });
  }

  get resyncDepth(): number {
    return this.#resyncDepth;
  }

  set resyncDepth(value: unknown) {
    if (typeof value !== 'number' || !(value >= -1))
      throw new NativeTypeError(`so.resyncDepth: expected a number of versions, or -1, got ${shown(value)}`);
    this.#expectOpen('so.resyncDepth');
    this.#resyncDepth = value;
    send({ kind: 'share-resync-depth', object: this.#number, depth: value });
  }

  /** A copy: to change the slot, set it. */
  getProperty(name: unknown): unknown {
    const bytes = this.#slots.get(nameOf('so.getProperty', name));
    return bytes && decodeValues(bytes)[0];
  }

  getPropertyNames(): string[] | null {
    const names: string[] = [];
    this.#slots.forEach((_, name) => void append(names, name));
    // What classic scripts look for, as the manual's own do.
    return names.length === 0 && isClassic ? null : names;
  }

  /** Null or undefined deletes the slot. */
  setProperty(name: unknown, value: unknown): void {
    const member = 'so.setProperty';
    const key = nameOf(member, name);
    const bytes = argumentsOf(member, [value]);
    if (isNothing(bytes)) {
      if (this.#slots.delete(key)) this.#change(member, { op: 'remove', name: key });
      return;
    }
    const { slots, slotBytes } = this.#limits;
    const known = this.#slots.get(key);
    if (key.length + lengthOf(bytes) > slotBytes)
      throw new NativeRangeError(
        `${member}: ${shown(key)}: name and value measure ${key.length + lengthOf(bytes)} bytes, and ${slotBytes} are allowed (limits.slotBytes)`,
      );
    if (!known && this.#slots.size >= slots)
      throw new NativeRangeError(`${member}: ${slots} slots are there, and that is the limit (limits.slots)`);
    if (known && isSame(known, bytes)) return;
    this.#slots.set(key, bytes);
    this.#change(member, { op: 'set', name: key, value: bytes });
  }

  size(): number {
    return this.#slots.size;
  }

  clear(): boolean {
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
    if (++this.#locks === 1) send({ kind: 'share-lock', object: this.#number, isLocked: true });
    return this.#locks;
  }

  unlock(): number {
    this.#expectOpen('so.unlock');
    if (this.#locks === 0) return 0;
    if (--this.#locks > 0) return this.#locks;
    this.#commit();
    send({ kind: 'share-lock', object: this.#number, isLocked: false });
    return 0;
  }

  /** Slots that were deleted before that version are forgotten. */
  purge(version: unknown): void {
    this.#expectOpen('so.purge');
    if (typeof version !== 'number' || !(version >= 0))
      throw new NativeTypeError(`so.purge: expected a version, got ${shown(version)}`);
    const most = version < this.#version ? version : this.#version;
    send({ kind: 'share-purge', object: this.#number, version: most });
  }

  /** Writes what has changed, and waits for the disk. Whether it is there; false for a temporary object. */
  flush(): boolean {
    this.#expectOpen('so.flush');
    if (!this.#isPersistent) return false;
    this.#commit();
    return reading('so.flush', () => askAfterAll('share.flush', this.#number)) === true;
  }

  /** The same without waiting in between: rejects with the status when it is not on disk. */
  saved(): Promise<void> {
    const member = 'so.saved';
    this.#expectOpen(member);
    if (saving.size >= MAX_SAVING)
      throw new NativeRangeError(`${member}: ${MAX_SAVING} of them are waiting already`);
    this.#commit();
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
    const all: unknown[] = [method];
    for (let i = 0; i < args.length; i++) append(all, args[i]);
    this.#change(member, { op: 'send', values: argumentsOf(member, all) });
  }

  #change(member: string, change: SharedChange): void {
    this.#expectOpen(member);
    append(this.#changes, change);
    if (change.op !== 'send') this.#isChanged = true;
    if (this.#locks === 0) this.#commit();
  }

  #commit(): void {
    const changes = this.#changes;
    if (changes.length === 0) return;
    this.#changes = [];
    if (this.#isChanged) this.#version++;
    this.#isChanged = false;
    send({ kind: 'share', object: this.#number, changes });
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
        for (let i = 0; i < delivery.changes.length; i++) this.#take(delivery.changes[i]!);
        return;
      case 'shared-sync': {
        // Looked up on the object alone: FMS never found one on the prototype.
        const onSync = hasOwn(this, 'onSync')
          ? functionIn('so.onSync', (this as { onSync?: unknown }).onSync)
          : undefined;
        if (!onSync) return;
        const list: object[] = [];
        for (let i = 0; i < delivery.list.length; i++) {
          const { code, name, oldValue } = delivery.list[i]!;
          const entry: Record<string, unknown> = { code, name, oldValue: undefined, client };
          if (lengthOf(oldValue) > 0) entry.oldValue = decodeValues(oldValue)[0];
          append(list, entry);
        }
        runHandler('so.onSync', onSync, this, [list]);
        return;
      }
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

  #take(change: SharedChange): void {
    if (change.op === 'set') {
      // The delivery is a view of what comes in with each turn.
      const bytes = new Bytes(lengthOf(change.value));
      setBytes(bytes, change.value, 0);
      this.#slots.set(change.name, bytes);
    } else if (change.op === 'remove') this.#slots.delete(change.name);
    else if (change.op === 'clear') this.#slots.clear();
  }
}

hide(SharedObject, 'name', 'SharedObject');

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

function nameOf(member: string, name: unknown): string {
  if (typeof name === 'number') return `${name}`;
  if (typeof name === 'string' && name !== '') return name;
  throw new NativeTypeError(`${member}: expected the name of a slot, got ${shown(name)}`);
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
