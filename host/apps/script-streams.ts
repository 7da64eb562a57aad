import type { Command } from '../../runtime/wall/commands.ts';
import type { Delivery } from '../../runtime/wall/deliveries.ts';
import { MessageType, type RtmpMessage } from '../../wire/messages.ts';
import { type StatusCode, statusLevels } from '../../wire/status.ts';
import { parseStreamName, type StreamName } from '../../wire/stream-name.ts';
import { StagewireError } from '../base/errors.ts';
import type { LinkPlace } from '../links/link.ts';
import {
  BUFFER_MS,
  type ScriptEnd,
  type StreamDirectory,
  type StreamSettings,
} from '../streams/directory.ts';
import type { Answerer } from './answers.ts';

export type StreamCommand = Extract<Command, { kind: `stream-${string}` }>;

/** What of a script its streams need. */
export interface StreamingScript {
  readonly mailbox: { readonly isFull: boolean };
  post(delivery: Delivery): void;
}

const DEFAULTS: StreamSettings = {
  isSynchronous: false,
  bufferMs: BUFFER_MS,
  receivesAudio: true,
  receivesVideo: true,
};
/** Of Node's timers. */
const MAX_TIMER_MS = 0x7fffffff;
/** Handles that one script has. */
const MAX_OPEN = 10_000;
/** What it asks for before it is the instance's script. */
const MAX_HELD = 10_000;

/**
 * The streams that one script has a handle of: answers its `Stream` (runtime/stream/) and tells it what becomes of
 * them. What it plays and records is the instance's, and outlives it.
 */
export class ScriptStreams implements ScriptEnd {
  readonly #streams: StreamDirectory;
  readonly #script: () => StreamingScript;
  readonly #placeOf: (link: number) => LinkPlace | undefined;
  readonly #patienceMs: number;
  readonly #open = new Set<string>();
  /** Until it is the instance's script it must not touch what plays under another. */
  #held: (() => unknown)[] | undefined = [];

  readonly answerers: Readonly<Record<string, Answerer>> = {
    'stream.open': (text) => this.#openStream(String(text)),
    'stream.length': async (text) => {
      const stream = nameOf(text);
      return stream ? this.#streams.library.lengthOf(stream) : 0;
    },
    'stream.size': async (text) => {
      const stream = nameOf(text);
      return (stream && (await this.#streams.library.probe(stream))?.bytes) ?? 0;
    },
    'stream.metadata': async (text) => {
      const stream = nameOf(text);
      return (stream && (await this.#streams.library.probe(stream))?.metadata) ?? null;
    },
    'stream.play': (key, source, startMs, durationMs, isReset, link) => {
      const isEarly = this.#held !== undefined;
      return this.#later(() => {
        const { name } = expectName(key);
        const stream = nameOf(source);
        const place = link === undefined ? undefined : this.#placeOf(Number(link));
        if (!stream) return false;
        if (link !== undefined && !place) {
          // It has been told that it plays.
          if (isEarly)
            this.#streams.tell(name, 'NetStream.Play.Failed', 'the connection is closed', stream.name);
          return false;
        }
        const remote = place && { place, patienceMs: this.#patienceMs };
        const item = { stream, startMs: Number(startMs), durationMs: durationOf(durationMs), remote };
        return this.#streams.broadcast(name, item, isReset === true);
      });
    },
    'stream.stop': (key) => this.#later(() => this.#streams.stopBroadcast(expectName(key).name)),
    'stream.record': (key, mode, maxMs, maxBytes) =>
      this.#later(() => this.#streams.record(expectName(key), String(mode), Number(maxMs), Number(maxBytes))),
    'stream.clear': (key) => this.#streams.clear(expectName(key)),
    'stream.clear-all': (path) => this.#streams.clearAll(String(path)),
    'stream.flush': (key) => this.#streams.flush(expectName(key).name),
    'stream.destroy': (key) => {
      const { name } = expectName(key);
      this.#open.delete(name);
      return this.#later(() => {
        this.#streams.record(expectName(key), '', 0, 0);
        this.#streams.set(name, DEFAULTS);
        return this.#streams.stopBroadcast(name);
      });
    },
  };

  /** `placeOf`: the connection of the script with that number. `patienceMs`: for an answer of another server. */
  constructor(
    streams: StreamDirectory,
    script: () => StreamingScript,
    placeOf: (link: number) => LinkPlace | undefined,
    patienceMs: number,
  ) {
    this.#streams = streams;
    this.#script = script;
    this.#placeOf = placeOf;
    this.#patienceMs = patienceMs;
  }

  obey(command: StreamCommand): void {
    this.#later(() => {
      const { name } = expectName(command.stream);
      if (command.kind === 'stream-send') this.#streams.inject(name, command.values.slice());
      else if (this.#open.has(name)) this.#streams.set(name, command);
    });
  }

  /** It is the script of the instance now. */
  takeOver(): void {
    this.#streams.script = this;
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const task of held) task();
  }

  close(): void {
    if (this.#streams.script === this) this.#streams.script = undefined;
    this.#held = undefined;
    this.#open.clear();
  }

  status(name: string, code: StatusCode, description: string, details: string): void {
    if (!this.#open.has(name) || this.#script().mailbox.isFull) return;
    const level = statusLevels[code];
    this.#script().post({ kind: 'stream-status', stream: name, level, code, description, details });
  }

  /** A script that is behind misses some: they come from clients, as fast as those like. */
  data(name: string, { type, payload }: RtmpMessage): void {
    if (!this.#open.has(name) || this.#script().mailbox.isFull) return;
    const hasSelector = type === MessageType.DataAmf3 && payload[0] === 0;
    this.#script().post({
      kind: 'stream-data',
      stream: name,
      values: hasSelector ? payload.subarray(1) : payload,
    });
  }

  #openStream(text: string): [name: string, key: string] | null {
    const stream = nameOf(text);
    if (!stream) return null;
    const { name, container } = stream;
    if (this.#open.size >= MAX_OPEN && !this.#open.has(name))
      throw new StagewireError('E_STREAMS', 'app', `${MAX_OPEN} streams are open, and that is the limit`);
    this.#open.add(name);
    return [name, container === '' ? name : `${container}:${name}`];
  }

  /** True at once while the script before it is in charge. */
  #later<T>(task: () => T): T | true {
    if (!this.#held) return task();
    if (this.#held.length >= MAX_HELD)
      throw new StagewireError(
        'E_STREAMS',
        'app',
        'too much is asked of streams before the script has started',
      );
    this.#held.push(task);
    return true;
  }
}

/** Longer than a timer lasts is for ever. */
function durationOf(ms: unknown): number {
  return Number(ms) > MAX_TIMER_MS ? -1 : Number(ms);
}

function nameOf(text: unknown): StreamName | undefined {
  try {
    return expectName(text);
  } catch (error) {
    if (error instanceof StagewireError) return undefined;
    throw error;
  }
}

function expectName(text: unknown): StreamName {
  return parseStreamName(String(text));
}
