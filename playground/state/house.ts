import { computed, effect, signal } from '@preact/signals';
import { app, instance } from './session.ts';

/** What the playground reads of the HTTP API (docs/operating.md). */
export interface StreamReport {
  readonly name: string;
  readonly source: 'client' | 'server' | null;
  readonly viewers: number;
  readonly recording: boolean;
  readonly video: string | null;
  readonly audio: string | null;
}

export interface InstanceReport {
  readonly app: string;
  readonly instance: string;
  readonly build: string | null;
  readonly clients: number;
  readonly streams: readonly StreamReport[];
}

export interface InstanceDetails extends InstanceReport {
  readonly recordings: readonly { readonly name: string; readonly bytes: number }[];
  readonly sharedObjects: readonly {
    readonly name: string;
    readonly persistent: boolean;
    readonly slots: number;
  }[];
  readonly handlers: readonly { readonly name: string }[];
}

export interface AppEntry {
  readonly name: string;
  readonly instances: readonly InstanceReport[];
}

/** Whether the server tells what it has. */
export type Listing =
  | { readonly at: 'asking' }
  | { readonly at: 'there'; readonly directory: string; readonly apps: readonly AppEntry[] }
  /** It tells only its own machine, or who has the administrator's token. */
  | { readonly at: 'refused'; readonly why: string }
  | { readonly at: 'away' };

const ASK_MS = 2000;

export const listing = signal<Listing>({ at: 'asking' });
/** Kept nowhere but here: other pages of this server could read whatever the browser keeps. */
export const token = signal('');
export const details = signal<InstanceDetails | undefined>(undefined);

/** Of the application and instance in the fields. */
export const present = computed(() => {
  const found = details.value;
  return found?.app === app.value && found.instance === instance.value ? found : undefined;
});

let round = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Asks now, and then again and again while somebody looks. */
export function refresh(): void {
  clearTimeout(timer);
  void ask(++round);
}

export function watchHouse(): void {
  document.addEventListener('visibilitychange', refresh);
  effect(() => {
    void token.value;
    void app.value;
    void instance.value;
    clearTimeout(timer);
    timer = setTimeout(refresh, listing.peek().at === 'asking' ? 0 : 150);
  });
}

async function ask(mine: number): Promise<void> {
  if (document.hidden) return;
  const seen = await look().catch((): Listing => ({ at: 'away' }));
  if (mine !== round) return;
  listing.value = seen;
  details.value = seen.at === 'there' ? await lookAt(seen.apps).catch(() => undefined) : undefined;
  // Who is refused is refused until there is another token.
  if (mine === round && seen.at !== 'refused') timer = setTimeout(refresh, ASK_MS);
}

async function look(): Promise<Listing> {
  const [apps, instances] = await Promise.all([
    get<{ directory: string; apps: string[] }>('/api/apps'),
    get<{ instances: InstanceReport[] }>('/api/instances'),
  ]);
  if ('why' in apps) return { at: 'refused', why: apps.why };
  if ('why' in instances) return { at: 'refused', why: instances.why };
  const entries = apps.apps.sort().map((name) => ({
    name,
    instances: instances.instances
      .filter((one) => one.app === name)
      .sort((a, b) => a.instance.localeCompare(b.instance)),
  }));
  return { at: 'there', directory: apps.directory, apps: entries };
}

async function lookAt(apps: readonly AppEntry[]): Promise<InstanceDetails | undefined> {
  const chosen = apps.find(({ name }) => name === app.value);
  if (!chosen?.instances.some((one) => one.instance === instance.value)) return undefined;
  const names = [app.value, ...instance.value.split('/')].map(encodeURIComponent).join('/');
  const found = await get<InstanceDetails>(`/api/instances/${names}`);
  return 'why' in found ? undefined : found;
}

async function get<T extends object>(path: string): Promise<T | { readonly why: string }> {
  const headers: Record<string, string> =
    token.value === '' ? {} : { Authorization: `Bearer ${token.value}` };
  const answer = await fetch(path, { headers });
  const body = (await answer.json()) as T & { message?: string };
  return answer.ok ? body : { why: body.message ?? `status ${answer.status}` };
}
