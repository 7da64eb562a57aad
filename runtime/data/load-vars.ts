import { apply, define, findIn, hide, keysOf, NativeTypeError, reading, shown, wordOf } from '../shared.ts';
import type { HttpHeader } from '../wall/fields.ts';
import { decodeForm, encodePart } from './form.ts';
import { addHeaders, methodOf, send, type Target, targetOf, urlOf } from './requests.ts';

const FORM = 'application/x-www-form-urlencoded';
const NO_VARIABLES = ['contentType', 'loaded'];

/** Variables over HTTP (Server-Side ActionScript Language Reference, class LoadVars): they are its own properties. */
export class LoadVars {
  declare contentType: string;
  /** Undefined before `load`, then whether the answer is there. */
  declare loaded: boolean | undefined;
  #headers: HttpHeader[] = [];
  #bytes: number | undefined;

  addRequestHeader(name: unknown, value?: unknown): void {
    addHeaders('LoadVars.addRequestHeader', this.#headers, name, value);
  }

  decode(text: unknown): void {
    if (typeof text !== 'string')
      throw new NativeTypeError(`LoadVars.decode: expected a text such as "a=1&b=2", got ${shown(text)}`);
    decodeForm(text, (name, value) => {
      // Whoever answers must not put a text in the place of a handler or a method.
      if (typeof (this as Record<string, unknown>)[name] !== 'function') define(this, name, value);
    });
  }

  getBytesLoaded(): number | undefined {
    return this.#bytes;
  }

  /** Answers come whole. */
  getBytesTotal(): number | undefined {
    return this.#bytes;
  }

  load(url: unknown): boolean {
    const member = 'LoadVars.load';
    this.#send(member, urlOf(member, url), 'GET', '', this as unknown as Target);
    return true;
  }

  /** The second argument named a window, which a server has not. */
  send(url: unknown, _target?: unknown, method?: unknown): boolean {
    const member = 'LoadVars.send';
    this.#send(member, urlOf(member, url), methodOf(member, method), this.#variables(member), undefined);
    return true;
  }

  sendAndLoad(url: unknown, target: unknown, method?: unknown): boolean {
    const member = 'LoadVars.sendAndLoad';
    const to = targetOf(member, target);
    this.#send(member, urlOf(member, url), methodOf(member, method), this.#variables(member), to);
    return true;
  }

  toString(): string {
    return this.#variables('LoadVars.toString');
  }

  onData(text: unknown): void {
    if (text !== undefined) {
      this.decode(text);
      hide(this, 'loaded', true);
    }
    const { onLoad } = this as { onLoad?: unknown };
    if (typeof onLoad === 'function') apply(onLoad as (isOk: boolean) => unknown, this, [text !== undefined]);
  }

  #send(member: string, url: string, method: 'GET' | 'POST', body: string, target: Target | undefined): void {
    const isQuery = method === 'GET' && body !== '';
    const outgoing = {
      member,
      url: isQuery ? `${url}${findIn(url, '?', 0) < 0 ? '?' : '&'}${body}` : url,
      method,
      contentType: this.contentType,
      headers: this.#headers,
      body: method === 'GET' ? '' : body,
    };
    const to = target && #bytes in target ? (target as unknown as LoadVars) : undefined;
    if (to) to.#bytes = undefined;
    send(outgoing, target, (bytes) => {
      if (to) to.#bytes = bytes;
    });
  }

  /** Handlers are properties, too, and no variables. */
  #variables(member: string): string {
    const names = keysOf(this);
    let text = '';
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      const value = reading(member, () => (this as Record<string, unknown>)[name]);
      if (name === NO_VARIABLES[0] || name === NO_VARIABLES[1] || typeof value === 'function') continue;
      text += `${text === '' ? '' : '&'}${encodePart(name)}=${encodePart(wordOf(member, value))}`;
    }
    return text;
  }
}

// Defaults of all: `LoadVars.prototype.contentType = "text/plain"` changes them.
hide(LoadVars.prototype, 'contentType', FORM);
hide(LoadVars.prototype, 'loaded', undefined);
