import { batch, computed, effect, signal, untracked } from '@preact/signals';
import { type CallError, type Info, NetConnection } from '../../client/index.ts';
import { inspect } from '../text/inspect.ts';
import { parseArguments } from '../text/json.ts';
import { addressOf, DEFAULT_INSTANCE, type Place } from '../text/snippets.ts';
import { addStatus, everyMethod, heard, told } from './journal.ts';

/** How the connection stands. */
export type Standing =
  | { readonly at: 'idle' }
  | { readonly at: 'connecting' }
  | { readonly at: 'connected' }
  /** It is lost, and tries to come back. */
  | { readonly at: 'returning'; readonly why: string }
  | { readonly at: 'refused'; readonly code: string; readonly why: string; readonly application: string }
  /** The server has ended it. */
  | { readonly at: 'closed'; readonly why: string };

/** What is in the fields. */
export const app = signal('');
export const instance = signal(DEFAULT_INSTANCE);
export const argsText = signal('');
export const args = computed(() => parseArguments(argsText.value));

export const standing = signal<Standing>({ at: 'idle' });
/** Each attempt to connect has its own; undefined before the first, and after the user has left. */
export const connection = signal<NetConnection | undefined>(undefined);
const gone = signal<Place | undefined>(undefined);

export const isConnected = computed(() => standing.value.at === 'connected');
/** Where the connection goes, or would go. */
export const place = computed<Place>(
  () => gone.value ?? { app: app.value || 'hello', instance: instance.value, args: args.value.value ?? [] },
);

export async function enter(): Promise<void> {
  leave();
  const to = { app: app.value.trim(), instance: instance.value.trim(), args: args.value.value ?? [] };
  const made = new NetConnection();
  made.client = everyMethod('');
  made.onStatus = (info) => {
    addStatus('', info);
    if (connection.value === made) hear(made, info);
  };
  batch(() => {
    standing.value = { at: 'connecting' };
    gone.value = to;
    heard.value = [];
    connection.value = made;
  });
  location.hash = addressOf(to);
  try {
    await made.connect(addressOf(to), ...to.args);
  } catch (error) {
    if (connection.value === made) refuse((error as CallError).info);
  }
}

export function leave(): void {
  const left = connection.value;
  batch(() => {
    connection.value = undefined;
    gone.value = undefined;
    standing.value = { at: 'idle' };
  });
  left?.close();
}

function hear(from: NetConnection, info: Info): void {
  const { code, description } = told(info);
  if (code === 'NetConnection.Connect.Success') standing.value = { at: 'connected' };
  else if (code === 'NetConnection.Connect.Closed')
    standing.value = { at: from.reconnecting ? 'returning' : 'closed', why: description };
  else if (info.level === 'error' && standing.value.at === 'returning' && !from.reconnecting) refuse(info);
}

function refuse(info: Info): void {
  const { application = null } = info;
  const { code, description } = told(info);
  batch(() => {
    standing.value = {
      at: 'refused',
      code,
      why: description,
      application: application === null ? '' : inspect(application),
    };
    gone.value = undefined;
  });
}

/** Runs `stop` when the connection that there is now is left, for another or for good. */
export function whenLeft(stop: () => void): void {
  effect(() => {
    void connection.value;
    return () => untracked(stop);
  });
}

/** `#/app/instance` in the page's address says where to. */
export function readAddress(): void {
  try {
    const [, name = '', ...rest] = location.hash.slice(1).split('/').map(decodeURIComponent);
    if (name === '') return;
    app.value = name;
    instance.value = rest.join('/') || DEFAULT_INSTANCE;
  } catch {
    // A broken escape says nothing.
  }
}
