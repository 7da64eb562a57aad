import { charCodeAt, define, findIn, sliceOf } from '../shared.ts';
import { makeNode, NodeType, put, type XMLNode } from './xml-node.ts';
import { isBlank, isSpace, unescapeXml } from './xml-text.ts';

/** What `XML.status` says (ActionScript 1 Language Reference, XML.status). */
export const XmlStatus = {
  ok: 0,
  openCdata: -2,
  openDeclaration: -3,
  openDocType: -4,
  openComment: -5,
  badElement: -6,
  outOfMemory: -7,
  openAttribute: -8,
  noEndTag: -9,
  noStartTag: -10,
} as const;

const MAX_DEPTH = 256;
/** Elements, texts and attributes. */
const MAX_NODES = 65_536;

const GREATER = 62;
const SLASH = 47;
const EQUALS = 61;
const QUOTE = 34;
const APOSTROPHE = 39;

export interface Parsed {
  status: number;
  xmlDecl: string | undefined;
  docTypeDecl: string | undefined;
}

/** Appends what the text says to `root`, up to the first thing that is wrong with it. Validates nothing. */
export function parseXml(text: string, root: XMLNode, ignoreWhite: boolean): Parsed {
  return new Parser(text, root, ignoreWhite).run();
}

class Parser {
  readonly #text: string;
  readonly #ignoreWhite: boolean;
  readonly #root: XMLNode;
  #node: XMLNode;
  #depth = 0;
  #nodes = 0;
  #at = 0;
  readonly #parsed: Parsed = { status: XmlStatus.ok, xmlDecl: undefined, docTypeDecl: undefined };

  constructor(text: string, root: XMLNode, ignoreWhite: boolean) {
    this.#text = text;
    this.#root = root;
    this.#node = root;
    this.#ignoreWhite = ignoreWhite;
  }

  run(): Parsed {
    const parsed = this.#parsed;
    while (this.#at < this.#text.length) {
      parsed.status = this.#step();
      if (parsed.status !== XmlStatus.ok) return parsed;
    }
    if (this.#node !== this.#root) parsed.status = XmlStatus.noEndTag;
    return parsed;
  }

  #step(): number {
    const text = this.#text;
    const at = this.#at;
    if (text[at] !== '<') return this.#addText(this.#until('<'), true);
    if (this.#begins('<!--'))
      return this.#skip('-->', 4) === undefined ? XmlStatus.openComment : XmlStatus.ok;
    if (this.#begins('<![CDATA[')) {
      const whole = this.#skip(']]>', 9);
      if (whole === undefined) return XmlStatus.openCdata;
      return this.#addText(sliceOf(whole, 9, whole.length - 3), false);
    }
    if (this.#begins('<?')) {
      const declaration = this.#skip('?>', 2);
      if (declaration === undefined) return XmlStatus.openDeclaration;
      if (sliceOf(declaration, 0, 5) === '<?xml') this.#parsed.xmlDecl = declaration;
      return XmlStatus.ok;
    }
    if (this.#begins('<!')) return this.#docType();
    return this.#begins('</') ? this.#endTag() : this.#startTag();
  }

  #addText(raw: string, hasEntities: boolean): number {
    if (hasEntities && this.#ignoreWhite && isBlank(raw)) return XmlStatus.ok;
    return this.#add(makeNode(NodeType.text, hasEntities ? unescapeXml(raw) : raw));
  }

  #add(node: XMLNode): number {
    if (++this.#nodes > MAX_NODES) return XmlStatus.outOfMemory;
    put(this.#node, node);
    return XmlStatus.ok;
  }

  #docType(): number {
    const start = this.#at;
    let isInside = false;
    for (let at = start; at < this.#text.length; at++) {
      const character = this.#text[at];
      if (character === '[') isInside = true;
      else if (character === ']') isInside = false;
      else if (character === '>' && !isInside) {
        this.#at = at + 1;
        this.#parsed.docTypeDecl = sliceOf(this.#text, start, this.#at);
        return XmlStatus.ok;
      }
    }
    return XmlStatus.openDocType;
  }

  #endTag(): number {
    this.#at += 2;
    const name = this.#name();
    this.#skipSpace();
    if (charCodeAt(this.#text, this.#at) !== GREATER) return XmlStatus.badElement;
    this.#at++;
    if (this.#node.nodeName === name && this.#node !== this.#root) {
      this.#node = this.#node.parentNode!;
      this.#depth--;
      return XmlStatus.ok;
    }
    for (let above: XMLNode | null = this.#node; above && above !== this.#root; above = above.parentNode) {
      if (above.nodeName === name) return XmlStatus.noEndTag;
    }
    return XmlStatus.noStartTag;
  }

  #startTag(): number {
    this.#at++;
    const name = this.#name();
    if (name === '') return XmlStatus.badElement;
    const node = makeNode(NodeType.element, name);
    for (;;) {
      this.#skipSpace();
      const code = charCodeAt(this.#text, this.#at);
      if (code === GREATER || code === SLASH) break;
      const status = this.#attribute(node);
      if (status !== XmlStatus.ok) return status;
    }
    const isEmpty = charCodeAt(this.#text, this.#at) === SLASH;
    if (isEmpty) this.#at++;
    if (charCodeAt(this.#text, this.#at) !== GREATER) return XmlStatus.badElement;
    this.#at++;
    const status = this.#add(node);
    if (status !== XmlStatus.ok || isEmpty) return status;
    if (++this.#depth > MAX_DEPTH) return XmlStatus.outOfMemory;
    this.#node = node;
    return XmlStatus.ok;
  }

  #attribute(node: XMLNode): number {
    const name = this.#name();
    this.#skipSpace();
    if (name === '' || charCodeAt(this.#text, this.#at) !== EQUALS) return XmlStatus.badElement;
    this.#at++;
    this.#skipSpace();
    const quote = charCodeAt(this.#text, this.#at);
    if (quote !== QUOTE && quote !== APOSTROPHE) return XmlStatus.badElement;
    const end = findIn(this.#text, this.#text[this.#at]!, this.#at + 1);
    if (end < 0) return XmlStatus.openAttribute;
    if (++this.#nodes > MAX_NODES) return XmlStatus.outOfMemory;
    define(node.attributes, name, unescapeXml(sliceOf(this.#text, this.#at + 1, end)));
    this.#at = end + 1;
    return XmlStatus.ok;
  }

  /** Up to a space or to what ends a name. */
  #name(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !endsName(charCodeAt(this.#text, this.#at))) this.#at++;
    return sliceOf(this.#text, start, this.#at);
  }

  #skipSpace(): void {
    while (this.#at < this.#text.length && isSpace(charCodeAt(this.#text, this.#at))) this.#at++;
  }

  /** What is before the next `mark`, or all the rest. */
  #until(mark: string): string {
    const start = this.#at;
    const end = findIn(this.#text, mark, start);
    this.#at = end < 0 ? this.#text.length : end;
    return sliceOf(this.#text, start, this.#at);
  }

  /** What begins here, its end included; undefined when there is no end. */
  #skip(mark: string, from: number): string | undefined {
    const start = this.#at;
    const end = findIn(this.#text, mark, start + from);
    if (end < 0) return undefined;
    this.#at = end + mark.length;
    return sliceOf(this.#text, start, this.#at);
  }

  #begins(mark: string): boolean {
    return sliceOf(this.#text, this.#at, this.#at + mark.length) === mark;
  }
}

function endsName(code: number): boolean {
  return isSpace(code) || code === GREATER || code === SLASH || code === EQUALS || code === 60;
}
