import { getPrototypeOf, hide, keysOf, reserveMethods } from '../shared.ts';
import { AbortController, AbortSignal, isSignal, signalState, watchSignal } from './abort.ts';
import { atob, btoa } from './base64.ts';
import { structuredClone } from './clone.ts';
import { DOMException } from './dom-exception.ts';
import { TextDecoder, TextEncoder } from './encoding.ts';
import { Event, EventTarget } from './events.ts';
import { subtle } from './subtle.ts';
import { URL } from './url.ts';
import { isSearchParams, paramsText, URLSearchParams } from './url-search-params.ts';

/** The entry of the bundle that runtime/web.ts evaluates: all that it hands over. */
const web = {
  globals: {
    URL,
    URLSearchParams,
    TextEncoder,
    TextDecoder,
    structuredClone,
    Event,
    EventTarget,
    AbortController,
    AbortSignal,
    DOMException,
    atob,
    btoa,
  },
  subtle,
  // For `fetch`.
  isSearchParams,
  paramsText,
  isSignal,
  signalState,
  watchSignal,
};

// The bundler gives a class another name when it refers to itself.
const names = keysOf(web.globals) as (keyof typeof web.globals)[];
for (let i = 0; i < names.length; i++) {
  const made = web.globals[names[i]!];
  hide(made, 'name', names[i]!);
  if ('prototype' in made) reserveMethods(made.prototype as object);
}
reserveMethods(getPrototypeOf(subtle)!);

declare const give: (loaded: typeof web) => void;
give(web);

export type Web = typeof web;
