import type { SharedChange, SharedSync } from '../../runtime/wall/sharing.ts';
import type { SharedObjectEvent, SharedObjectEventType as Type } from '../../wire/shared-object.ts';
import type { SharedValue } from '../../wire/shared-values.ts';
import type { StatusCode } from '../../wire/status.ts';
import type { Asked } from './in-flight.ts';
import type { News, Observer, Subscription } from './subscription.ts';

/** What subscribers are told in one update: one of them may have a part in it. */
interface Run {
  writer: Subscription | undefined;
  readonly forWriter: SharedObjectEvent[];
  readonly forOthers: SharedObjectEvent[];
}

interface Answers {
  /** Some of its changes were not made. */
  isRefused: boolean;
  /** Slots that hold something else than what it has written; of a proxy one for each change. */
  readonly keys: string[];
}

/** What one message of the owner comes to, for each who has the object here (`ProxiedObject`). */
export class ProxyStep {
  /** The version that it leads to, if it changes something. */
  readonly version: number;
  readonly runs: Run[] = [];
  readonly refused: Asked[] = [];
  readonly statuses: StatusCode[] = [];
  /** There is no object for us any more. */
  problem: News['status'];
  /** All that the owner has is here. */
  isWhole = false;
  /** Which changes were answered is not known. */
  isUnclear = false;
  readonly #changes: SharedChange[] = [];
  readonly #list: { readonly sync: SharedSync; readonly by: Observer | undefined }[] = [];
  readonly #sends: (readonly SharedValue[])[] = [];
  readonly #corrected: { readonly writer: Subscription; readonly key: string }[] = [];
  readonly #refusedTo = new Set<Observer>();
  /** Slots that all were told of. */
  readonly #told = new Set<string>();
  /** Changes that scripts have been told as theirs. */
  readonly #counted = new Set<Asked>();
  #clients = new Set<number>();

  constructor(version: number) {
    this.version = version;
  }

  get isChange(): boolean {
    return this.#changes.length > 0;
  }

  /** `own`: for the writer, if there is one; the others are told the other one, the writer, too, if there is none. */
  tell(
    writer: Subscription | undefined,
    own: SharedObjectEvent | undefined,
    others: SharedObjectEvent | undefined,
  ): void {
    let run = this.runs.at(-1);
    if (!run || (writer && run.writer && run.writer !== writer)) {
      run = { writer: undefined, forWriter: [], forOthers: [] };
      this.runs.push(run);
    }
    // Until there was a writer all were told the same.
    run.writer ??= writer;
    const forWriter = writer ? own : others;
    if (forWriter) run.forWriter.push(forWriter);
    if (others) run.forOthers.push(others);
    if (others && 'key' in others && !writer) this.#told.add(others.key);
  }

  send(event: Extract<SharedObjectEvent, { type: typeof Type.Send }>): void {
    this.tell(undefined, undefined, event);
    this.#sends.push(event.values);
  }

  /** For scripts; `asked`: the change that it was. */
  changed(change: SharedChange, oldValue: Uint8Array | undefined, asked: Asked | undefined): void {
    this.#changes.push(change);
    this.#clients.add(asked?.writer?.subscriber.client ?? 0);
    const code = change.op === 'set' ? 'change' : change.op === 'remove' ? 'delete' : 'clear';
    const name = 'name' in change ? change.name : '';
    this.#list.push({ sync: { code, name, oldValue: oldValue ?? NOTHING }, by: asked?.script });
    if (asked) this.#counted.add(asked);
  }

  /** What was asked for is so. */
  succeed(asked: Asked): void {
    if (!asked.script || this.#counted.has(asked)) return;
    this.#list.push({ sync: { code: 'success', name: asked.key, oldValue: NOTHING }, by: asked.script });
  }

  /** What was asked for is not so, and will not be. */
  refuse(asked: Asked): void {
    this.refused.push(asked);
    if (asked.script) this.#refusedTo.add(asked.script);
  }

  isRefusedTo(script: Observer): void {
    this.#refusedTo.add(script);
  }

  correct(writer: Subscription, key: string): void {
    this.#corrected.push({ writer, key });
  }

  /** Of clients, without what they are told anyway. */
  answersByClient(): Map<Subscription, Answers> {
    const all = new Map<Subscription, Answers>();
    const seen = new Map<Subscription, Set<string>>();
    const answer = (writer: Subscription, key: string, isRefused: boolean) => {
      const answers = all.get(writer) ?? { isRefused: false, keys: [] };
      const known = seen.get(writer) ?? new Set();
      if (writer.isProxy || !(this.#told.has(key) || known.has(key))) answers.keys.push(key);
      answers.isRefused ||= isRefused;
      all.set(writer, answers);
      seen.set(writer, known.add(key));
    };
    for (const { writer, key } of this.refused) if (writer) answer(writer, key, true);
    for (const { writer, key } of this.#corrected) answer(writer, key, false);
    return all;
  }

  /** Undefined when there is nothing. `holds`: what a slot holds now. */
  newsFor(
    script: Observer,
    version: number,
    holds: (key: string) => Uint8Array | undefined,
  ): News | undefined {
    const list: SharedSync[] = [];
    for (const { sync, by } of this.#list) {
      if (by === script) list.push({ ...sync, code: 'success' });
      else if (sync.code !== 'success') list.push(sync);
    }
    for (const { script: by, key } of this.refused)
      if (by === script) list.push({ code: 'reject', name: key, oldValue: holds(key) ?? NOTHING });
    const status = this.problem ?? this.#statusFor(script);
    const isNothing = this.#changes.length === 0 && list.length === 0 && this.#sends.length === 0;
    if (isNothing && !status && !this.isWhole) return undefined;
    const [client = 0] = this.#clients.size === 1 ? this.#clients : [];
    return {
      ...{ client, version, changes: this.#changes, list, sends: this.#sends, isWhole: this.isWhole },
      ...(status && { status }),
    };
  }

  /** What the owner says of no client's change concerns the script. */
  #statusFor(script: Observer): News['status'] {
    const [code] = this.statuses;
    const isOfClients = this.refused.some(({ writer }) => writer !== undefined);
    if (!code || (isOfClients && !this.#refusedTo.has(script))) return undefined;
    if (this.#refusedTo.size > 0 && !this.#refusedTo.has(script)) return undefined;
    return { code, description: 'The owner of the shared object has not made a change, or cannot be asked.' };
  }
}

const NOTHING = new Uint8Array(0);
