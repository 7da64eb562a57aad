import {
  after,
  append,
  apply,
  hide,
  NativeTypeError,
  reportError,
  shown,
  textOf,
  turnMonotonic,
} from '../shared.ts';
import { DOMException } from './dom-exception.ts';
import { need, optionsOf, toStringTag } from './helpers.ts';

export let isEvent: (value: unknown) => value is Event;
/** Hands it to the listeners of one target. Returns whether nobody has prevented what it announces. */
export let dispatch: (event: Event, target: EventTarget, isTrusted: boolean) => boolean;

/** Something that happened (DOM, section 2.2). There is no tree: what bubbles meets nobody else. */
export class Event {
  #type: string;
  #bubbles: boolean;
  #cancelable: boolean;
  readonly #composed: boolean;
  readonly #timeStamp = turnMonotonic();
  #isTrusted = false;
  #target: EventTarget | null = null;
  #isDispatched = false;
  #isCanceled = false;
  #isStopped = false;
  #isStoppedAtOnce = false;
  #isPassive = false;

  constructor(type: unknown, options?: unknown) {
    need(arguments.length, 1, 'new Event');
    this.#type = textOf('new Event', type);
    const given = optionsOf('new Event', options);
    this.#bubbles = !!given('bubbles');
    this.#cancelable = !!given('cancelable');
    this.#composed = !!given('composed');
  }

  static {
    isEvent = (value): value is Event => typeof value === 'object' && value !== null && #type in value;
    dispatch = (event, target, isTrusted) => {
      if (event.#isDispatched)
        throw new DOMException('dispatchEvent: the event is being dispatched', 'InvalidStateError');
      event.#isTrusted = isTrusted;
      event.#target = target;
      event.#isDispatched = true;
      // On the way down and on the way up, though the target is all there is of the way (DOM, section 2.9).
      event.#invoke(target, true);
      if (!event.#isStopped) event.#invoke(target, false);
      event.#isDispatched = false;
      event.#isStopped = false;
      event.#isStoppedAtOnce = false;
      return !event.#isCanceled;
    };
  }

  #invoke(target: EventTarget, isCapture: boolean): void {
    const listeners = listenersOf(target);
    for (let i = 0; i < listeners.length && !this.#isStoppedAtOnce; i++) {
      const listener = listeners[i]!;
      if (listener.isRemoved || listener.type !== this.#type || listener.isCapture !== isCapture) continue;
      if (listener.isOnce) listener.remove();
      this.#isPassive = listener.isPassive;
      call(listener.callback, target, this);
      this.#isPassive = false;
    }
  }

  get type(): string {
    return this.#type;
  }

  get bubbles(): boolean {
    return this.#bubbles;
  }

  get cancelable(): boolean {
    return this.#cancelable;
  }

  get composed(): boolean {
    return this.#composed;
  }

  get timeStamp(): number {
    return this.#timeStamp;
  }

  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  get target(): EventTarget | null {
    return this.#target;
  }

  get srcElement(): EventTarget | null {
    return this.#target;
  }

  get currentTarget(): EventTarget | null {
    return this.#isDispatched ? this.#target : null;
  }

  get eventPhase(): number {
    return this.#isDispatched ? PHASES.AT_TARGET : PHASES.NONE;
  }

  get defaultPrevented(): boolean {
    return this.#isCanceled;
  }

  get returnValue(): boolean {
    return !this.#isCanceled;
  }

  set returnValue(value: unknown) {
    if (!value) this.preventDefault();
  }

  get cancelBubble(): boolean {
    return this.#isStopped;
  }

  set cancelBubble(value: unknown) {
    if (value) this.#isStopped = true;
  }

  preventDefault(): void {
    if (this.#cancelable && !this.#isPassive) this.#isCanceled = true;
  }

  stopPropagation(): void {
    this.#isStopped = true;
  }

  stopImmediatePropagation(): void {
    this.#isStopped = true;
    this.#isStoppedAtOnce = true;
  }

  composedPath(): EventTarget[] {
    return this.#isDispatched ? [this.#target!] : [];
  }

  initEvent(type: unknown, bubbles: unknown = false, cancelable: unknown = false): void {
    need(arguments.length, 1, 'Event.initEvent');
    if (this.#isDispatched) return;
    this.#type = textOf('Event.initEvent', type);
    this.#bubbles = !!bubbles;
    this.#cancelable = !!cancelable;
    this.#isCanceled = false;
    this.#isTrusted = false;
    this.#isStopped = false;
    this.#isStoppedAtOnce = false;
    this.#target = null;
  }

  get [toStringTag](): string {
    return 'Event';
  }
}

const PHASES = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 } as const;
constant('NONE');
constant('CAPTURING_PHASE');
constant('AT_TARGET');
constant('BUBBLING_PHASE');

function constant(name: keyof typeof PHASES): void {
  hide(Event, name, PHASES[name]);
  hide(Event.prototype, name, PHASES[name]);
}

interface Listener {
  readonly type: string;
  readonly callback: object;
  readonly isCapture: boolean;
  readonly isOnce: boolean;
  readonly isPassive: boolean;
  isRemoved: boolean;
  remove(): void;
}

/** What a listener throws is reported; the others are called all the same. */
function call(callback: object, target: EventTarget, event: Event): void {
  try {
    if (typeof callback === 'function') return void apply(callback, target, [event]);
    const { handleEvent } = callback as { handleEvent?: unknown };
    if (typeof handleEvent !== 'function')
      throw new NativeTypeError(
        `a listener for "${event.type}" has no handleEvent, but ${shown(handleEvent)}`,
      );
    apply(handleEvent, callback, [event]);
  } catch (error) {
    reportError(error);
  }
}

/** How a target hears that a signal was aborted (abort.ts, which is built upon this file). */
type Watch = (signal: unknown, run: () => void, member: string) => boolean;
let watch: Watch;

export function setWatch(fn: Watch): void {
  watch = fn;
}

export let isEventTarget: (value: object) => value is EventTarget;
/** A copy: listeners come and go while they are called. */
let listenersOf: (target: EventTarget) => Listener[];

/** What events happen to (DOM, section 2.7). */
export class EventTarget {
  #listeners: Listener[] = [];

  static {
    isEventTarget = (value): value is EventTarget => #listeners in value;
    listenersOf = (target) => after(target.#listeners, 0) as Listener[];
  }

  addEventListener(type: unknown, callback: unknown, options?: unknown): void {
    const member = 'EventTarget.addEventListener';
    need(arguments.length, 2, member);
    const name = textOf(member, type);
    const more = optionsOf(member, isObject(options) ? options : undefined);
    const isCapture = captureOf(member, options);
    const listeners = this.#listeners;
    const isOnce = !!more('once');
    const isPassive = !!more('passive');
    const signal = more('signal');
    checkCallback(callback, member);
    const remove = () => {
      listener.isRemoved = true;
      const others: Listener[] = [];
      for (let i = 0; i < this.#listeners.length; i++)
        if (this.#listeners[i] !== listener) append(others, this.#listeners[i]!);
      this.#listeners = others;
    };
    const listener = {
      type: name,
      callback: callback as object,
      isCapture,
      isOnce,
      isPassive,
      isRemoved: false,
      remove,
    };
    if (signal !== undefined && !watch(signal, remove, member)) return;
    if (callback === null || callback === undefined) return;
    for (let i = 0; i < listeners.length; i++) if (isSame(listeners[i]!, name, callback, isCapture)) return;
    append(this.#listeners, listener);
  }

  removeEventListener(type: unknown, callback: unknown, options?: unknown): void {
    const member = 'EventTarget.removeEventListener';
    need(arguments.length, 2, member);
    const name = textOf(member, type);
    const isCapture = captureOf(member, options);
    checkCallback(callback, member);
    for (let i = 0; i < this.#listeners.length; i++) {
      if (isSame(this.#listeners[i]!, name, callback, isCapture)) return this.#listeners[i]!.remove();
    }
  }

  dispatchEvent(event: unknown): boolean {
    if (!isEvent(event))
      throw new NativeTypeError(`EventTarget.dispatchEvent: expected an Event, got ${shown(event)}`);
    return dispatch(event, this, false);
  }

  get [toStringTag](): string {
    return 'EventTarget';
  }
}

/** Anything else says whether to capture. */
function isObject(options: unknown): boolean {
  return typeof options === 'object' && options !== null;
}

function captureOf(member: string, options: unknown): boolean {
  return isObject(options) ? !!optionsOf(member, options)('capture') : !!options;
}

function checkCallback(callback: unknown, member: string): void {
  if (callback === null || callback === undefined) return;
  if (typeof callback !== 'object' && typeof callback !== 'function')
    throw new NativeTypeError(`${member}: expected a function to call, got ${shown(callback)}`);
}

function isSame(listener: Listener, type: string, callback: unknown, isCapture: boolean): boolean {
  return listener.callback === callback && listener.type === type && listener.isCapture === isCapture;
}
