import { apply, hide, NativeTypeError, shown, textOf, wordOf } from '../shared.ts';
import type { HttpHeader } from '../wall/fields.ts';
import { addHeaders, methodOf, send, type Target, targetOf, urlOf } from './requests.ts';
import { innerText, makeNode, NodeType, put, XMLNode } from './xml-node.ts';
import { parseXml } from './xml-parser.ts';

/** A document, the root of its nodes (Server-Side ActionScript Language Reference, class XML). */
export class XML extends XMLNode {
  declare contentType: string;
  declare ignoreWhite: boolean;
  declare loaded: boolean | undefined;
  declare status: number;
  declare xmlDecl: string | undefined;
  declare docTypeDecl: string | undefined;
  #headers: HttpHeader[] = [];
  #bytes: number | undefined;

  constructor(source?: unknown) {
    super(NodeType.element, null);
    hide(this, 'status', 0);
    hide(this, 'xmlDecl', undefined);
    hide(this, 'docTypeDecl', undefined);
    if (source !== undefined && source !== null) this.parseXML(textOf('new XML', source));
  }

  /** Replaces what was there. `status` says how it went. */
  parseXML(source: unknown): void {
    if (typeof source !== 'string')
      throw new NativeTypeError(`XML.parseXML: expected a text, got ${shown(source)}`);
    while (this.firstChild) this.firstChild.removeNode();
    const { status, xmlDecl, docTypeDecl } = parseXml(source, this, this.ignoreWhite === true);
    hide(this, 'status', status);
    hide(this, 'xmlDecl', xmlDecl);
    hide(this, 'docTypeDecl', docTypeDecl);
  }

  createElement(name: unknown): XMLNode {
    if (typeof name !== 'string')
      throw new NativeTypeError(`XML.createElement: expected a name, got ${shown(name)}`);
    return makeNode(NodeType.element, name);
  }

  createTextNode(text: unknown): XMLNode {
    if (typeof text !== 'string')
      throw new NativeTypeError(`XML.createTextNode: expected a text, got ${shown(text)}`);
    return makeNode(NodeType.text, text);
  }

  addRequestHeader(name: unknown, value?: unknown): void {
    addHeaders('XML.addRequestHeader', this.#headers, name, value);
  }

  getBytesLoaded(): number | undefined {
    return this.#bytes;
  }

  /** Answers come whole. */
  getBytesTotal(): number | undefined {
    return this.#bytes;
  }

  load(url: unknown): boolean {
    const member = 'XML.load';
    this.#send(member, urlOf(member, url), 'GET', this as unknown as Target);
    return true;
  }

  /** The second argument named a window, which a server has not. */
  send(url: unknown, _target?: unknown, method?: unknown): boolean {
    const member = 'XML.send';
    this.#send(member, urlOf(member, url), methodOf(member, method), undefined);
    return true;
  }

  sendAndLoad(url: unknown, target: unknown): boolean {
    const member = 'XML.sendAndLoad';
    const to = targetOf(member, target);
    this.#send(member, urlOf(member, url), 'POST', to);
    return true;
  }

  onData(text: unknown): void {
    if (typeof text === 'string') {
      this.parseXML(text);
      hide(this, 'loaded', true);
    }
    const { onLoad } = this as { onLoad?: unknown };
    if (typeof onLoad === 'function')
      apply(onLoad as (isOk: boolean) => unknown, this, [typeof text === 'string']);
  }

  override cloneNode(isDeep?: unknown): XMLNode {
    const copy = makeDocument();
    hide(copy, 'xmlDecl', this.xmlDecl);
    hide(copy, 'docTypeDecl', this.docTypeDecl);
    if (isDeep === true)
      for (let child = this.firstChild; child; child = child.nextSibling) put(copy, child.cloneNode(true));
    return copy;
  }

  override toString(): string {
    return `${declaration('xmlDecl', this.xmlDecl)}${declaration('docTypeDecl', this.docTypeDecl)}${innerText(this)}`;
  }

  #send(member: string, url: string, method: 'GET' | 'POST', target: Target | undefined): void {
    const to = target && #bytes in target ? (target as unknown as XML) : undefined;
    if (to) to.#bytes = undefined;
    const body = method === 'GET' ? '' : this.toString();
    const outgoing = { member, url, method, contentType: this.contentType, headers: this.#headers, body };
    send(outgoing, target, (bytes) => {
      if (to) to.#bytes = bytes;
    });
  }
}

// Defaults of all: `XML.prototype.ignoreWhite = true` changes them.
hide(XML.prototype, 'contentType', 'application/x-www-form-urlencoded');
hide(XML.prototype, 'ignoreWhite', false);
hide(XML.prototype, 'loaded', undefined);

function makeDocument(): XML {
  return new XML();
}

function declaration(name: string, text: unknown): string {
  return text === undefined || text === null ? '' : wordOf(`XML.${name}`, text);
}
