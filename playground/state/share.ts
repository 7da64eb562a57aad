import { signal } from '@preact/signals';
import { type Change, type Info, SharedObject } from '../../client/index.ts';
import { inspect } from '../text/inspect.ts';
import { jsonOf } from '../text/json.ts';
import type { ShareAction } from '../text/snippets.ts';
import { addStatus, everyMethod, told } from './journal.ts';
import { connection, whenLeft } from './session.ts';

/** A slot as it is shown. */
export interface Slot {
  readonly name: string;
  readonly text: string;
  /** Grows with each change by others. */
  readonly changes: number;
}

/** So many are shown. */
const MAX_SLOTS = 300;
const SHOW_MS = 40;

export const name = signal('');
export const isPersistent = signal(false);
/** The object that is open. */
export const share = signal<SharedObject | undefined>(undefined);
export const isReady = signal(false);
export const problem = signal('');
export const slots = signal<readonly Slot[]>([]);
export const size = signal(0);
export const action = signal<ShareAction | undefined>(undefined);

const known = new Map<string, Slot>();
let isSoon = false;

whenLeft(close);

export function open(): void {
  close();
  if (!connection.value || name.value === '') return;
  const object = SharedObject.getRemote(name.value, connection.value, isPersistent.value);
  const title = `object ${object.name}`;
  object.client = everyMethod(title);
  object.onStatus = (info: Info) => {
    addStatus(title, info);
    if (info.level === 'error') problem.value = told(info).code;
  };
  object.onSync = (changes) => {
    if (share.value === object) hear(object, changes);
  };
  share.value = object;
}

export function close(): void {
  share.value?.close();
  share.value = undefined;
  isReady.value = false;
  problem.value = '';
  action.value = undefined;
  known.clear();
  slots.value = [];
  size.value = 0;
}

export function set(slot: string, value: unknown): void {
  problem.value = '';
  action.value = value == null ? { did: 'delete', slot } : { did: 'set', slot, value };
  share.value?.setProperty(slot, value);
  if (share.value) look(share.value, slot, false);
}

/** To edit it; undefined for what JSON cannot have. */
export function jsonOfSlot(slot: string): string | undefined {
  return jsonOf((share.value?.data as Record<string, unknown> | undefined)?.[slot]);
}

export function clear(): void {
  problem.value = '';
  action.value = { did: 'clear' };
  share.value?.clear();
  known.clear();
  showSoon();
}

export function send(method: string, args: readonly unknown[]): void {
  problem.value = '';
  action.value = { did: 'send', method, args };
  share.value?.send(method, ...args);
}

function hear(object: SharedObject, changes: readonly Change[]): void {
  const isNews = isReady.value;
  isReady.value = true;
  for (const { code, name } of changes) {
    if (code === 'clear') known.clear();
    else if (code !== 'success') look(object, name, isNews);
  }
  showSoon();
}

/** What the object has now under that name. */
function look(object: SharedObject, slot: string, isNews: boolean): void {
  const value = (object.data as Record<string, unknown>)[slot];
  if (value === undefined) known.delete(slot);
  else {
    const changes = (known.get(slot)?.changes ?? 0) + (isNews ? 1 : 0);
    known.set(slot, { name: slot, text: inspect(value), changes });
  }
  showSoon();
}

/** What comes at once is shown at once. */
function showSoon(): void {
  if (isSoon) return;
  isSoon = true;
  setTimeout(() => {
    isSoon = false;
    size.value = known.size;
    slots.value = [...known.values()].slice(0, MAX_SLOTS);
  }, SHOW_MS);
}
