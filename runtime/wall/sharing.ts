import type { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { append } from '../../wire/primordials.ts';
import { blob, readBlob, readText, text, unknownKind } from './fields.ts';

/** One step of a change to a shared object; several together are one version. Values are AMF, each by itself. */
export type SharedChange =
  | { op: 'set'; name: string; value: Uint8Array }
  | { op: 'remove'; name: string }
  | { op: 'clear' }
  /** Goes when that client leaves; 0: stays. */
  | { op: 'until'; name: string; client: number }
  /** Changes nothing: the handler's name and its arguments, for every subscriber. */
  | { op: 'send'; values: Uint8Array };

/** The answer to `share.open`. */
export type SharedObjectOpened = [
  number: number,
  version: number,
  slots: number,
  slotBytes: number,
  autoCommit: boolean,
  resyncDepth: number,
  /** It belongs to another instance. */
  isProxied: boolean,
];

/** One entry of what `onSync` is given. */
export interface SharedSync {
  /** The last two: what has become of the script's own change, of an object that belongs to another instance. */
  code: 'change' | 'delete' | 'clear' | 'success' | 'reject';
  name: string;
  /** AMF; empty when there was none. */
  oldValue: Uint8Array;
}

/** What becomes of one change that a client wants. `value` is AMF; of `send` it is the arguments. */
export type SharedDecision = { op: 'refuse' } | { op: 'allow' } | { op: 'replace'; value: Uint8Array };

const OPS = ['set', 'remove', 'clear', 'send', 'until'] as const;
const CODES = ['change', 'delete', 'clear', 'success', 'reject'] as const;

export function sharedChanges(out: ByteWriter, changes: readonly SharedChange[]): void {
  out.u32(changes.length);
  for (let i = 0; i < changes.length; i++) {
    const change = changes[i]!;
    switch (change.op) {
      case 'set':
        out.u8(0);
        text(out, change.name);
        blob(out, change.value);
        break;
      case 'remove':
        out.u8(1);
        text(out, change.name);
        break;
      case 'clear':
        out.u8(2);
        break;
      case 'send':
        out.u8(3);
        blob(out, change.values);
        break;
      case 'until':
        out.u8(4);
        text(out, change.name);
        out.u32(change.client);
        break;
    }
  }
}

export function readSharedChanges(record: ByteReader): SharedChange[] {
  const changes: SharedChange[] = [];
  const count = record.u32();
  for (let i = 0; i < count; i++) {
    const op = record.u8();
    switch (OPS[op]) {
      case 'set':
        append(changes, { op: 'set', name: readText(record), value: readBlob(record) });
        break;
      case 'remove':
        append(changes, { op: 'remove', name: readText(record) });
        break;
      case 'clear':
        append(changes, { op: 'clear' });
        break;
      case 'send':
        append(changes, { op: 'send', values: readBlob(record) });
        break;
      case 'until':
        append(changes, { op: 'until', name: readText(record), client: record.u32() });
        break;
      default:
        throw unknownKind('change', op);
    }
  }
  return changes;
}

export function sharedSyncs(out: ByteWriter, list: readonly SharedSync[]): void {
  out.u32(list.length);
  for (let i = 0; i < list.length; i++) {
    const { code, name, oldValue } = list[i]!;
    let number = 0;
    while (CODES[number] !== code) number++;
    out.u8(number);
    text(out, name);
    blob(out, oldValue);
  }
}

export function readSharedSyncs(record: ByteReader): SharedSync[] {
  const list: SharedSync[] = [];
  const count = record.u32();
  for (let i = 0; i < count; i++) {
    const code = CODES[record.u8()] ?? 'change';
    append(list, { code, name: readText(record), oldValue: readBlob(record) });
  }
  return list;
}

export function sharedDecisions(out: ByteWriter, decisions: readonly SharedDecision[]): void {
  out.u32(decisions.length);
  for (let i = 0; i < decisions.length; i++) {
    const decision = decisions[i]!;
    out.u8(decision.op === 'refuse' ? 0 : decision.op === 'allow' ? 1 : 2);
    if (decision.op === 'replace') blob(out, decision.value);
  }
}

export function readSharedDecisions(record: ByteReader): SharedDecision[] {
  const decisions: SharedDecision[] = [];
  const count = record.u32();
  for (let i = 0; i < count; i++) {
    const op = record.u8();
    if (op === 2) decisions[i] = { op: 'replace', value: readBlob(record) };
    else decisions[i] = { op: op === 1 ? 'allow' : 'refuse' };
  }
  return decisions;
}
