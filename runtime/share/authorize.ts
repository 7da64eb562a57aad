import {
  after,
  argumentsOf,
  decodeValues,
  isArray,
  NativeTypeError,
  reading,
  reportError,
  runHandler,
} from '../shared.ts';
import type { SharedChange, SharedDecision } from '../wall/sharing.ts';
import { frozenOnce } from './frozen.ts';

/** `so.authorize` as one message of a client needs it. */
export interface Authorizer {
  readonly so: object;
  readonly handler: (...args: unknown[]) => unknown;
  readonly client: object;
  /** What the slot holds. */
  read(name: string): unknown;
}

export const REFUSED: SharedDecision = { op: 'refuse' };
export const ALLOWED: SharedDecision = { op: 'allow' };

const MEMBER = 'so.authorize';

/** Asks the script about one change. Whatever is not clearly allowed is refused: what throws is reported, too. */
export function authorize(change: SharedChange, { so, handler, client, read }: Authorizer): SharedDecision {
  const wanted = asWanted(change, read);
  if (!wanted) return REFUSED;
  let decision: SharedDecision | undefined;
  runHandler(MEMBER, handler, so, [{ ...wanted, client }], (outcome) => {
    decision ??= outcome.isOk ? decisionOf(outcome.value, wanted.code) : REFUSED;
  });
  if (decision) return decision;
  decision = REFUSED; // whatever it comes to
  reportError(new NativeTypeError(`${MEMBER}: it has to decide at once, and returned a promise`), MEMBER);
  return decision;
}

interface Wanted {
  readonly code: 'change' | 'delete' | 'clear' | 'send';
  readonly name: string;
  readonly value: unknown;
  readonly oldValue: unknown;
}

/** Undefined for what cannot be read: values of clients have limits. */
function asWanted(change: SharedChange, read: (name: string) => unknown): Wanted | undefined {
  try {
    switch (change.op) {
      case 'set':
        return {
          code: 'change',
          name: change.name,
          value: frozenOnce(change.value),
          oldValue: read(change.name),
        };
      case 'remove':
        return { code: 'delete', name: change.name, value: undefined, oldValue: read(change.name) };
      case 'send': {
        const values = decodeValues(change.values);
        if (typeof values[0] !== 'string') return undefined;
        return { code: 'send', name: values[0], value: after(values, 1), oldValue: undefined };
      }
      default:
        return { code: 'clear', name: '', value: undefined, oldValue: undefined };
    }
  } catch {
    return undefined;
  }
}

/** `true`, or `{ value }` for something else than what was wanted. */
function decisionOf(verdict: unknown, code: Wanted['code']): SharedDecision {
  if (verdict === true) return ALLOWED;
  if (typeof verdict !== 'object' || verdict === null) return REFUSED;
  try {
    return reading(MEMBER, () => {
      if (!('value' in verdict)) return REFUSED;
      const { value } = verdict;
      if (code === 'clear') throw new NativeTypeError('a clear has no value');
      if (code !== 'send') return { op: 'replace', value: argumentsOf('the value', [value]) };
      if (!isArray(value)) throw new NativeTypeError('the value of a send is a list of arguments');
      return { op: 'replace', value: argumentsOf('the value', value) };
    });
  } catch (error) {
    reportError(error, MEMBER);
    return REFUSED;
  }
}
