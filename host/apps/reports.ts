import { MessageType } from '../../wire/messages.ts';
import type { LiveStream } from '../streams/live-stream.ts';
import type { AppReport, InstanceDetails, InstanceReport } from '../web/api.ts';
import type { InstanceFigures } from '../web/metrics.ts';
import type { App } from './app.ts';
import type { BuildArchive } from './build-archive.ts';
import type { Instance } from './instance.ts';

const MAX_CLIENTS = 100;
const MAX_OBJECTS = 100;
const MAX_RECORDINGS = 100;

/** The server itself publishes as nobody. */
function sourceOf({ publisher }: LiveStream): 'client' | 'server' | null {
  if (!publisher) return null;
  return publisher.clientId === '' ? 'server' : 'client';
}

/** One instance for the list of all. */
export function reportOf(instance: Instance): InstanceReport {
  return {
    app: instance.app,
    instance: instance.instance,
    build: instance.build?.id ?? null,
    since: new Date(instance.startedAt).toISOString(),
    clients: instance.clientCount,
    streams: [...instance.streams].map((stream) => ({
      name: stream.name,
      source: sourceOf(stream),
      publisher: stream.publisher?.clientId || null,
      viewers: stream.viewerCount,
      bytes: stream.bytesIn,
      video: stream.codecOf(MessageType.Video) ?? null,
      audio: stream.codecOf(MessageType.Audio) ?? null,
      recording: stream.recording !== undefined,
    })),
    heapBytes: instance.figures?.heapBytes ?? null,
    cpuMs: instance.figures ? Math.round(instance.totals.cpuMs) : null,
  };
}

/** Which instance of an application runs what. */
export async function appReportOf(app: App, builds: BuildArchive): Promise<AppReport> {
  const kept = await builds.list(app.name);
  return {
    app: app.name,
    build: app.build?.id ?? null,
    builtAt: app.build ? new Date(app.build.builtAt).toISOString() : null,
    kept: kept.map(({ id, builtAt }) => ({ build: id, builtAt: new Date(builtAt).toISOString() })),
    instances: [...app.instances.values()].map((instance) => ({
      instance: instance.instance,
      build: instance.build?.id ?? null,
      clients: instance.clientCount,
      since: instance.runsSince === undefined ? null : new Date(instance.runsSince).toISOString(),
      switched: instance.switched ?? null,
    })),
  };
}

/** One instance as its operator wants to know it. */
export async function detailsOf(instance: Instance): Promise<InstanceDetails> {
  const heapBytes = (await instance.heapBytes()) ?? null;
  const report = reportOf(instance);
  const { totals, figures, usage } = instance;
  // What the isolate counted are shares (docs/operating.md, "Accounts"): the whole is what the core's account says.
  const toMs = usage.totalMs === 0 ? 0 : totals.cpuMs / usage.totalMs;
  const seats = [...instance.clients].sort((a, b) => b.busyMs - a.busyMs).slice(0, MAX_CLIENTS);
  return {
    ...report,
    heapBytes,
    limits: { ...instance.limits },
    core: figures?.core ?? null,
    hostMs: Math.round(totals.hostMs),
    turns: totals.turns,
    deliveries: totals.deliveries,
    batchSize: totals.turns === 0 ? 0 : totals.deliveries / totals.turns,
    mailbox: {
      deliveries: figures?.mailboxDeliveries ?? 0,
      bytes: figures?.mailboxBytes ?? 0,
      ageMs: Math.round(figures?.mailboxAgeMs ?? 0),
    },
    ends: Object.fromEntries(instance.ends),
    handlers: usage.handlers.map(({ name, ms }) => ({ name, cpuMs: Math.round(ms * toMs) })),
    sharedObjects: [...instance.sharedObjects]
      .map((object) => ({
        name: object.name,
        persistent: object.isPersistent,
        version: object.version,
        slots: object.slots.size,
        bytes: object.slots.bytes,
        subscribers: object.subscriberCount,
      }))
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, MAX_OBJECTS),
    recordings: await instance.streams.library.list(MAX_RECORDINGS),
    connected: seats.map((seat) => ({
      id: seat.id,
      ip: seat.info.ip,
      since: new Date(seat.connectedAt).toISOString(),
      standing: seat.standing,
      cpuMs: Math.round(seat.busyMs * toMs),
    })),
  };
}

/** The same in numbers, for the metrics: it asks nobody. */
export function figuresOf(instance: Instance): InstanceFigures {
  const { app, instance: name, clientCount, totals, figures } = instance;
  return {
    app,
    instance: name,
    clients: clientCount,
    cpuMs: totals.cpuMs,
    hostMs: totals.hostMs,
    heapBytes: figures?.heapBytes,
    turns: totals.turns,
    deliveries: totals.deliveries,
    mailboxDeliveries: figures?.mailboxDeliveries ?? 0,
    mailboxAgeMs: figures?.mailboxAgeMs ?? 0,
  };
}
