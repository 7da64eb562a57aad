/** What an information object says (docs/api.md): more properties depend on the code. */
export interface Info {
  readonly level: string;
  readonly code: string;
  readonly description: string;
  readonly details?: string;
  /** What the application gave to `rejectConnection`. */
  readonly application?: unknown;
  readonly [more: string]: unknown;
}

/** The event `netStatus`. */
export class NetStatusEvent extends Event {
  readonly info: Info;

  constructor(info: Info) {
    super('netStatus');
    this.info = info;
  }
}

/**
 * The event `asyncError`: a method that the server called is not there, or has thrown. What was thrown is an error of the
 * page, too, unless a listener calls `preventDefault`, or the server waits for the answer and has it there.
 */
export class AsyncErrorEvent extends Event {
  /** What was thrown, of any type. */
  readonly error: unknown;

  constructor(error: unknown) {
    super('asyncError', { cancelable: true });
    this.error = error;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: functions of any type are handlers
export type Handler = (...args: any[]) => unknown;

/** The events of all that a server speaks to, by their names. */
export interface NotifierEvents {
  netStatus: NetStatusEvent;
  asyncError: AsyncErrorEvent;
}

/** Listeners get the event of the name that they listen for. */
interface TypedTarget<Events> extends EventTarget {
  addEventListener<K extends keyof Events>(
    type: K,
    listener: (event: Events[K]) => unknown,
    options?: Parameters<EventTarget['addEventListener']>[2],
  ): void;
  addEventListener(...other: Parameters<EventTarget['addEventListener']>): void;
  removeEventListener<K extends keyof Events>(
    type: K,
    listener: (event: Events[K]) => unknown,
    options?: Parameters<EventTarget['removeEventListener']>[2],
  ): void;
  removeEventListener(...other: Parameters<EventTarget['removeEventListener']>): void;
}

/**
 * An event target whose status is also told to `onStatus`, and whose methods the server may call: those that `on` has been
 * given, then those of `client`.
 */
export class Notifier<Events extends NotifierEvents = NotifierEvents> extends (EventTarget as new <
  Events,
>() => TypedTarget<Events>)<Events> {
  /** The AMF of all values, there and back: AMF0 that becomes AMF3 where only that has the type. */
  readonly objectEncoding = 3;
  /** Its methods are called by the server, by name. */
  client: object = {};
  /** Without one, that of the connection is told. */
  onStatus: ((info: Info) => void) | undefined;
  readonly #heir: Notifier | undefined;
  readonly #handlers = new Map<string, Handler>();

  /** `heir`: whose `onStatus` is told when this has none. */
  constructor(heir?: Notifier) {
    super();
    this.#heir = heir;
  }

  /** Calls `handler` when the server calls a method of that name; the last one given counts. Returns what ends it. */
  on(name: string, handler: Handler): () => void {
    this.#handlers.set(name, handler);
    return () => {
      if (this.#handlers.get(name) === handler) this.#handlers.delete(name);
    };
  }

  /** Tells a status, as if the server had. */
  report(info: Info): void {
    const hearer = this.onStatus ? this : this.#heir;
    guarded(() => hearer?.onStatus?.(info));
    this.dispatchEvent(new NetStatusEvent(info));
  }

  /** The method of that name; undefined when there is none, or only one that all objects have. */
  protected method(name: string): Handler | undefined {
    const target = this.client as Record<string, unknown>;
    const found = this.#handlers.get(name) ?? (name in Object.prototype ? undefined : target[name]);
    return typeof found === 'function' ? (...args) => found.apply(target, args) : undefined;
  }

  /**
   * Calls that method. When there is none, or it fails, `asyncError` tells, and the promise rejects. `isAnswered`: whoever
   * called is told what was thrown, and the page need not see it.
   */
  protected async run(name: string, args: readonly unknown[], isAnswered?: boolean): Promise<unknown> {
    const method = this.method(name);
    try {
      if (!method) throw new Error(`Method not found (${name}).`);
      return await method(...args);
    } catch (error) {
      const isUnseen = this.dispatchEvent(new AsyncErrorEvent(error));
      if (isUnseen && method && !isAnswered) thrown(error);
      throw error;
    }
  }
}

/** What a handler throws is the page's to see, and stops nothing here. */
export function guarded(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    thrown(error);
  }
}

function thrown(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}

/** A status that the client makes itself. */
export function infoOf(level: 'status' | 'error', code: string, description: string): Info {
  return { level, code, description };
}

/** A call, or a connect, that failed: what the server said. */
export class CallError extends Error {
  readonly info: Info;

  constructor(info: Info) {
    super(`${info.code}: ${info.description}`);
    this.name = 'CallError';
    this.info = info;
  }
}
