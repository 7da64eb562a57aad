import { computed, signal } from '@preact/signals';
import type { CallError } from '../../client/index.ts';
import { inspect } from '../text/inspect.ts';
import { parseArguments } from '../text/json.ts';
import { present } from './house.ts';
import { told } from './journal.ts';
import { connection } from './session.ts';

/** A call that was made, and what came of it. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly argsText: string;
  readonly outcome:
    | { readonly is: 'open' }
    | { readonly is: 'answer'; readonly text: string; readonly ms: number }
    | { readonly is: 'error'; readonly code: string; readonly description: string; readonly ms: number };
}

const MAX_CALLS = 50;
/** What handlers are called that no client can call. */
const OWN = /^\(|^top level$|^on[A-Z]|^authorize/;

export const method = signal('');
export const argsText = signal('');
export const args = computed(() => parseArguments(argsText.value));
/** Newest first. */
export const calls = signal<readonly Call[]>([]);

/** Methods that have been called, here or by others as far as the server tells. */
export const methods = computed(() => {
  const others = present.value?.handlers.map(({ name }) => name).filter((name) => !OWN.test(name)) ?? [];
  return [...new Set([...calls.value.map((call) => call.method), ...others])];
});

let count = 0;

export async function call(): Promise<void> {
  const { value } = args.value;
  const to = connection.value;
  if (!value || !to || method.value === '') return;
  const id = ++count;
  const made: Call = { id, method: method.value, argsText: argsText.value.trim(), outcome: { is: 'open' } };
  calls.value = [made, ...calls.value].slice(0, MAX_CALLS);
  const began = performance.now();
  const outcome = await to.invoke<unknown>(made.method, ...value).then(
    (answer) => ({ is: 'answer', text: inspect(answer), ms: performance.now() - began }) as const,
    ({ info, message }: CallError) => {
      const { code, description } = told(info ?? { code: 'Error', description: message });
      return { is: 'error', code, description, ms: performance.now() - began } as const;
    },
  );
  calls.value = calls.value.map((one) => (one.id === id ? { ...one, outcome } : one));
}
