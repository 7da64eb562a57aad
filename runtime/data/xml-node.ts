import {
  append,
  define,
  findIn,
  hide,
  keysOf,
  NativeTypeError,
  reading,
  shown,
  sliceOf,
  wordOf,
} from '../shared.ts';
import { escapeXml } from './xml-text.ts';

/** As the DOM numbers them; there are no others. */
export const NodeType = { element: 1, text: 3 } as const;

// For the modules beside this one, and not for scripts.
/** Appends a node that is nowhere yet. */
export let put: (parent: XMLNode, node: XMLNode) => void;
/** All that is inside of it, as text. */
export let innerText: (node: XMLNode) => string;

/**
 * An element or a text of a document, as ActionScript 1 had them (class XMLNode): siblings are a chain, so that
 * putting one in costs the same wherever it goes.
 */
export class XMLNode {
  nodeName: string | null;
  nodeValue: string | null;
  attributes: Record<string, unknown>;
  readonly #type: number;
  #parent: XMLNode | null = null;
  #first: XMLNode | null = null;
  #last: XMLNode | null = null;
  #next: XMLNode | null = null;
  #previous: XMLNode | null = null;
  /** What `childNodes` gave last; undefined when that has changed since. */
  #list: XMLNode[] | undefined;

  constructor(type: number, value: string | null) {
    this.#type = type;
    this.nodeName = type === NodeType.element ? value : null;
    this.nodeValue = type === NodeType.element ? null : value;
    this.attributes = {};
  }

  get nodeType(): number {
    return this.#type;
  }

  get parentNode(): XMLNode | null {
    return this.#parent;
  }

  get firstChild(): XMLNode | null {
    return this.#first;
  }

  get lastChild(): XMLNode | null {
    return this.#last;
  }

  get nextSibling(): XMLNode | null {
    return this.#next;
  }

  get previousSibling(): XMLNode | null {
    return this.#previous;
  }

  /** To be read: changing the list changes nothing of the document. */
  get childNodes(): XMLNode[] {
    if (!this.#list) {
      this.#list = [];
      for (let child = this.#first; child; child = child.#next) append(this.#list, child);
    }
    return this.#list;
  }

  get prefix(): string | null {
    if (this.nodeName === null) return null;
    const name = wordOf('XML.nodeName', this.nodeName);
    const at = findIn(name, ':', 0);
    return at < 0 ? '' : sliceOf(name, 0, at);
  }

  get localName(): string | null {
    if (this.nodeName === null) return null;
    const name = wordOf('XML.nodeName', this.nodeName);
    return sliceOf(name, findIn(name, ':', 0) + 1);
  }

  get namespaceURI(): string | null {
    const { prefix } = this;
    return prefix === null ? null : this.getNamespaceForPrefix(prefix);
  }

  getNamespaceForPrefix(prefix: unknown): string | null {
    const name =
      prefix === undefined || prefix === null || prefix === ''
        ? 'xmlns'
        : `xmlns:${wordOf('XML.getNamespaceForPrefix', prefix)}`;
    for (let node: XMLNode | null = this; node; node = node.#parent) {
      const names = attributeNames(node);
      for (let i = 0; i < names.length; i++) if (names[i] === name) return attributeText(node, name);
    }
    return null;
  }

  getPrefixForNamespace(uri: unknown): string | null {
    for (let node: XMLNode | null = this; node; node = node.#parent) {
      const names = attributeNames(node);
      for (let i = 0; i < names.length; i++) {
        const name = names[i]!;
        if (attributeOf(node, name) !== uri) continue;
        if (name === 'xmlns') return '';
        if (sliceOf(name, 0, 6) === 'xmlns:') return sliceOf(name, 6);
      }
    }
    return null;
  }

  hasChildNodes(): boolean {
    return this.#first !== null;
  }

  /** Takes it from where it was before. */
  appendChild(node: unknown): void {
    this.#insert('XML.appendChild', node, null);
  }

  insertBefore(node: unknown, before: unknown): void {
    if (before === undefined || before === null) return this.#insert('XML.insertBefore', node, null);
    const next = this.#asNode('XML.insertBefore', before);
    if (next.#parent !== this)
      throw new NativeTypeError('XML.insertBefore: the second argument is no child of this node');
    if (next !== node) this.#insert('XML.insertBefore', node, next);
  }

  removeNode(): void {
    const parent = this.#parent;
    if (!parent) return;
    if (this.#previous) this.#previous.#next = this.#next;
    else parent.#first = this.#next;
    if (this.#next) this.#next.#previous = this.#previous;
    else parent.#last = this.#previous;
    this.#parent = null;
    this.#next = null;
    this.#previous = null;
    parent.#list = undefined;
  }

  cloneNode(isDeep?: unknown): XMLNode {
    const copy = makeNode(this.#type, this.#type === NodeType.element ? this.nodeName : this.nodeValue);
    const names = attributeNames(this);
    for (let i = 0; i < names.length; i++) define(copy.attributes, names[i]!, attributeOf(this, names[i]!));
    if (isDeep === true)
      for (let child = this.#first; child; child = child.#next) copy.#add(child.cloneNode(true), null);
    return copy;
  }

  toString(): string {
    if (this.#type === NodeType.text) return escapeXml(wordOf('XML.nodeValue', this.nodeValue));
    const inner = this.#inner();
    if (this.nodeName === null) return inner;
    const name = wordOf('XML.nodeName', this.nodeName);
    let text = `<${name}`;
    const names = attributeNames(this);
    for (let i = 0; i < names.length; i++)
      text += ` ${names[i]}="${escapeXml(attributeText(this, names[i]!))}"`;
    return this.#first ? `${text}>${inner}</${name}>` : `${text} />`;
  }

  #inner(): string {
    let text = '';
    for (let child = this.#first; child; child = child.#next) text += child.toString();
    return text;
  }

  #insert(member: string, value: unknown, before: XMLNode | null): void {
    const node = this.#asNode(member, value);
    if (this.#type !== NodeType.element) throw new NativeTypeError(`${member}: a text has no children`);
    for (let above: XMLNode | null = this; above; above = above.#parent) {
      if (above === node) throw new NativeTypeError(`${member}: the node would be inside of itself`);
    }
    node.removeNode();
    this.#add(node, before);
  }

  #add(node: XMLNode, before: XMLNode | null): void {
    node.#parent = this;
    node.#next = before;
    node.#previous = before ? before.#previous : this.#last;
    if (node.#previous) node.#previous.#next = node;
    else this.#first = node;
    if (before) before.#previous = node;
    else this.#last = node;
    this.#list = undefined;
  }

  static {
    put = (parent, node) => parent.#add(node, null);
    innerText = (node) => node.#inner();
  }

  #asNode(member: string, value: unknown): XMLNode {
    if (typeof value === 'object' && value !== null && #parent in value) return value;
    throw new NativeTypeError(`${member}: expected a node, got ${shown(value)}`);
  }
}

/** What a script has put there may be anything. */
function attributeNames({ attributes }: XMLNode): string[] {
  if (typeof attributes !== 'object' || attributes === null)
    throw new NativeTypeError(`XML.attributes: expected an object, got ${shown(attributes)}`);
  return reading('XML.attributes', () => keysOf(attributes));
}

function attributeOf({ attributes }: XMLNode, name: string): unknown {
  return reading('XML.attributes', () => attributes[name]);
}

function attributeText(node: XMLNode, name: string): string {
  return wordOf(`XML.attributes: ${name}`, attributeOf(node, name));
}

/** Outside of the class, which the bundler would call otherwise if it named itself. */
export function makeNode(type: number, value: string | null): XMLNode {
  return new XMLNode(type, value);
}

hide(XMLNode, 'name', 'XMLNode');
