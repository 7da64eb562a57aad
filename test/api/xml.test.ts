import { afterAll, expect, test } from 'vitest';
import type { AmfValue } from '../../wire/values.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { openSite } from '../support/site.ts';

/** Rows of the API checklist on XML. */
const site = await openSite({
  '/doc.xml': {
    text: '\ufeff<?xml version="1.0"?><room name="lobby"><user>ann</user><user>bob</user></room>',
  },
  '/bad.xml': { text: '<a><b></a>' },
  '/gone': { status: 410, text: '<x/>' },
});
afterAll(() => site.close());

const server = useServer({
  apps: {
    xml: {
      'main.asc': `
        Client.prototype.run = function (code, url) { return new Function("client", "url", code)(this, url); };`,
      'app.json': JSON.stringify({ fetch: { hosts: [site.host] } }),
    },
  },
});

const DOC = `<?xml version="1.0"?><!DOCTYPE room [<!ENTITY x "y">]>
<room name='lob"by' size="3"><!-- nobody --><user id="1">ann &amp; co</user><user id="2"/><![CDATA[<raw>]]></room>`;

/** Runs code that has a document `x` with its root element `room`, and calls `done` with what is to be compared. */
async function run(code: string, source = DOC): Promise<AmfValue> {
  const client = await connect(`${server.rtmp}/xml`);
  const begin = `var x = new XML(${JSON.stringify(source)}), room = x.firstChild && (x.firstChild.nextSibling || x.firstChild);`;
  return client.call('run', `${begin} return new Promise(function (done) { ${code} });`, site.url);
}

const thrown = (code: string) => run(`try { ${code}; } catch (e) { done(String(e)); }`);
const asked = (path: string) => site.seen.filter(({ url }) => url.startsWith(path));

test('XML-01: new XML(source) parses it; without one the document is empty', async () => {
  expect(
    await run(
      'var e = new XML(); done([x instanceof XML, x.status, room.nodeName, e.firstChild, e.toString(), e.status]);',
    ),
  ).toEqual([true, 0, 'room', null, '', 0]);
});

test('XML-02: attributes are an object of texts, which may be changed', async () => {
  expect(
    await run(
      'var seen = [room.attributes, x.attributes]; room.attributes.size = 4; delete room.attributes.name; done(seen.concat([x.firstChild.nextSibling.cloneNode(false).toString()]));',
    ),
  ).toEqual([{ size: 4 }, {}, '<room size="4" />']);
  expect(await run('done(room.attributes);')).toEqual({ name: 'lob"by', size: '3' });
  expect(
    await run(
      'var a = x.firstChild.attributes; done([Object.keys(a), a instanceof Object, a.y]);',
      '<r __proto__="p" y="1"/>',
    ),
  ).toEqual([['__proto__', 'y'], true, '1']);
});

test('XML-03: childNodes are the children in order', async () => {
  expect(
    await run(
      'var names = room.childNodes.map(function (n) { return n.nodeName || n.nodeValue; }); room.childNodes.length = 0; done([names, room.firstChild.nodeName]);',
    ),
  ).toEqual([['user', 'user', '<raw>'], 'user']);
});

test('XML-04: contentType is sent with what is posted', async () => {
  await run('x.contentType = "text/xml"; x.onLoad = done; x.sendAndLoad(url + "/type", x);');
  expect(asked('/type')).toMatchObject([{ headers: { 'content-type': 'text/xml' } }]);
  expect(await run('done(x.contentType);')).toBe('application/x-www-form-urlencoded');
});

test('XML-05: docTypeDecl is the declaration as it was written', async () => {
  expect(await run('done([x.docTypeDecl, new XML("<a/>").docTypeDecl]);')).toEqual([
    '<!DOCTYPE room [<!ENTITY x "y">]>',
    undefined,
  ]);
});

test('XML-06: firstChild is the first child or null', async () => {
  expect(await run('done([room.firstChild.attributes.id, room.firstChild.nextSibling.firstChild]);')).toEqual(
    ['1', null],
  );
});

test('XML-07: ignoreWhite drops texts of white space, for one or for all', async () => {
  const count = (before: string) =>
    run(
      `${before} x.parseXML("<a> <b> c </b>\\n<d/> </a>"); done([x.firstChild.childNodes.length, x.firstChild.toString()]);`,
    );
  expect(await run('done(x.ignoreWhite);')).toBe(false);
  expect(await count('')).toEqual([5, '<a> <b> c </b>\n<d /> </a>']);
  expect(await count('x.ignoreWhite = true;')).toEqual([2, '<a><b> c </b><d /></a>']);
  expect(
    await run(
      'XML.prototype.ignoreWhite = true; var n = new XML("<a> <b/> </a>").firstChild.childNodes.length; XML.prototype.ignoreWhite = false; done(n);',
    ),
  ).toBe(1);
});

test('XML-08: lastChild is the last child or null', async () => {
  expect(await run('done([room.lastChild.nodeValue, room.lastChild.lastChild]);')).toEqual(['<raw>', null]);
});

test('XML-09: loaded is undefined, then false, then true', async () => {
  expect(
    await run(
      'var seen = [x.loaded]; x.onLoad = function () { done(seen.concat([x.loaded])); }; x.load(url + "/doc.xml"); seen.push(x.loaded);',
    ),
  ).toEqual([undefined, false, true]);
});

const NAMESPACES = '<a xmlns="urn:one" xmlns:p="urn:two"><p:b c="1">t</p:b><d/></a>';

test('XML-10: localName is the name without its prefix', async () => {
  expect(
    await run(
      'var a = x.firstChild; done([a.localName, a.firstChild.localName, a.firstChild.firstChild.localName]);',
      NAMESPACES,
    ),
  ).toEqual(['a', 'b', null]);
});

test('XML-11: namespaceURI is that of the prefix, or the default', async () => {
  expect(
    await run(
      'var a = x.firstChild; done([a.namespaceURI, a.firstChild.namespaceURI, a.lastChild.namespaceURI, a.firstChild.firstChild.namespaceURI]);',
      NAMESPACES,
    ),
  ).toEqual(['urn:one', 'urn:two', 'urn:one', null]);
});

test('XML-12: nextSibling is the next child of the parent or null', async () => {
  expect(await run('done([room.firstChild.nextSibling.attributes.id, room.lastChild.nextSibling]);')).toEqual(
    ['2', null],
  );
});

test('XML-13: nodeName is the name of an element, null of a text, and can be set', async () => {
  expect(
    await run(
      'var seen = [x.nodeName, room.nodeName, room.lastChild.nodeName]; room.firstChild.nodeName = "guest"; done(seen.concat([room.firstChild.toString()]));',
    ),
  ).toEqual([null, 'room', null, '<guest id="1">ann &amp; co</guest>']);
});

test('XML-14: nodeType is 1 for elements and the document, 3 for texts', async () => {
  expect(await run('done([x.nodeType, room.nodeType, room.lastChild.nodeType]);')).toEqual([1, 1, 3]);
});

test('XML-15: nodeValue is the text of a text, null of an element', async () => {
  expect(
    await run(
      'var t = room.firstChild.firstChild, seen = [t.nodeValue, room.nodeValue]; t.nodeValue = "<b>"; done(seen.concat([room.firstChild.toString()]));',
    ),
  ).toEqual(['ann & co', null, '<user id="1">&lt;b&gt;</user>']);
  expect(
    await run(
      'done(x.firstChild.firstChild.nodeValue);',
      '<a>&#65;&#x42;&#x1F600;&nbsp;&lt;&gt;&quot;&apos;&amp;amp;&unknown;&#xD;&;&#;& &#x110000;</a>',
    ),
  ).toBe('AB\u{1f600}\u00a0<>"\'&amp;&unknown;\r&;&#;& &#x110000;');
});

test('XML-16: parentNode is the node that holds it, null of the document', async () => {
  expect(
    await run('done([room.firstChild.parentNode === room, room.parentNode === x, x.parentNode]);'),
  ).toEqual([true, true, null]);
});

test('XML-17: prefix is what stands before the colon', async () => {
  expect(
    await run(
      'var a = x.firstChild; done([a.prefix, a.firstChild.prefix, a.firstChild.firstChild.prefix]);',
      NAMESPACES,
    ),
  ).toEqual(['', 'p', null]);
});

test('XML-18: previousSibling is the child before or null', async () => {
  expect(
    await run('done([room.lastChild.previousSibling.attributes.id, room.firstChild.previousSibling]);'),
  ).toEqual(['2', null]);
});

test('XML-19: status tells what is wrong with the text', async () => {
  const cases: [number, string][] = [
    [0, ''],
    [0, 'only text'],
    [0, '<a/><b></b>'],
    [-2, '<a><![CDATA[x'],
    [-3, '<?xml version="1.0"'],
    [-4, '<!DOCTYPE a [ > '],
    [-5, '<a><!-- x'],
    [-6, '<a b></a>'],
    [-6, '<a b=c></a>'],
    [-6, '< a/>'],
    [-6, '<a'],
    [-7, '<a>'.repeat(300)],
    [-7, `<a>${'<b/>'.repeat(70_000)}</a>`],
    [-8, '<a b="c></a>'],
    [-9, '<a><b></a>'],
    [-9, '<a><b></b>'],
    [-10, '<a></a></b>'],
    [-10, '</a>'],
  ];
  const client = await connect(`${server.rtmp}/xml`);
  for (const [status, source] of cases)
    expect(await client.call('run', `return new XML(url).status;`, source), source.slice(0, 40)).toBe(status);
});

test('XML-20: xmlDecl is the declaration as it was written', async () => {
  expect(await run('done([x.xmlDecl, new XML("<?php?><a/>").xmlDecl]);')).toEqual([
    '<?xml version="1.0"?>',
    undefined,
  ]);
});

test('XML-21: addRequestHeader(name, value) and (list) send headers', async () => {
  await run(
    'x.addRequestHeader("X-One", "1"); x.addRequestHeader(["X-Two", 2]); x.onLoad = done; x.load(url + "/headers");',
  );
  expect(asked('/headers')).toMatchObject([{ headers: { 'x-one': '1', 'x-two': '2' } }]);
  expect(await thrown('x.addRequestHeader(["X-One"])')).toBe(
    'TypeError: XML.addRequestHeader: expected names and values in turn, got a list of 1',
  );
});

test('XML-22: appendChild(node) puts a node at the end, and takes it from where it was', async () => {
  expect(
    await run(
      'room.appendChild(room.firstChild); room.appendChild(x.createElement("new")); done(room.childNodes.map(function (n) { return n.nodeName; }));',
    ),
  ).toEqual(['user', null, 'user', 'new']);
  expect(await thrown('room.firstChild.appendChild(room)')).toBe(
    'TypeError: XML.appendChild: the node would be inside of itself',
  );
  expect(await thrown('room.appendChild("text")')).toBe(
    'TypeError: XML.appendChild: expected a node, got "text"',
  );
  expect(await thrown('room.lastChild.appendChild(x.createElement("a"))')).toBe(
    'TypeError: XML.appendChild: a text has no children',
  );
});

test('XML-23: cloneNode(deep) copies a node that belongs to nobody', async () => {
  expect(
    await run(
      'var flat = room.cloneNode(false), deep = room.cloneNode(true); deep.attributes.size = 9; done([flat.toString(), deep.parentNode, deep.childNodes.length, room.attributes.size, x.cloneNode(true) instanceof XML, String(x.cloneNode(true)) === String(x)]);',
    ),
  ).toEqual(['<room name="lob&quot;by" size="3" />', null, 3, '3', true, true]);
});

test('XML-24: createElement(name) makes an element without attributes or children', async () => {
  expect(
    await run('var e = x.createElement("e"); done([e.nodeName, e.nodeType, e.parentNode, e.toString()]);'),
  ).toEqual(['e', 1, null, '<e />']);
  expect(await thrown('x.createElement()')).toBe(
    'TypeError: XML.createElement: expected a name, got undefined',
  );
});

test('XML-25: createTextNode(text) makes a text', async () => {
  expect(
    await run('var t = x.createTextNode("a < b"); done([t.nodeValue, t.nodeType, t.toString()]);'),
  ).toEqual(['a < b', 3, 'a &lt; b']);
});

test('XML-26: getBytesLoaded() is undefined before the answer', async () => {
  expect(
    await run(
      'var seen = [x.getBytesLoaded()]; x.onData = function () { done(seen.concat([x.getBytesLoaded()])); }; x.load(url + "/bad.xml");',
    ),
  ).toEqual([undefined, 10]);
});

test('XML-27: getBytesTotal() is the size of the answer', async () => {
  expect(await run('x.onData = function () { done(x.getBytesTotal()); }; x.load(url + "/bad.xml");')).toBe(
    10,
  );
});

test('XML-28: getNamespaceForPrefix(prefix) looks upwards', async () => {
  expect(
    await run(
      'var d = x.firstChild.lastChild; done([d.getNamespaceForPrefix("p"), d.getNamespaceForPrefix(""), d.getNamespaceForPrefix("q")]);',
      NAMESPACES,
    ),
  ).toEqual(['urn:two', 'urn:one', null]);
});

test('XML-29: getPrefixForNamespace(uri) looks upwards', async () => {
  expect(
    await run(
      'var d = x.firstChild.lastChild; done([d.getPrefixForNamespace("urn:two"), d.getPrefixForNamespace("urn:one"), d.getPrefixForNamespace("1")]);',
      NAMESPACES,
    ),
  ).toEqual(['p', '', null]);
});

test('XML-30: hasChildNodes() tells whether there are any', async () => {
  expect(await run('done([room.hasChildNodes(), room.firstChild.nextSibling.hasChildNodes()]);')).toEqual([
    true,
    false,
  ]);
});

test('XML-31: insertBefore(node, before) puts a node before another', async () => {
  expect(
    await run(
      'room.insertBefore(x.createElement("a"), room.firstChild); room.insertBefore(x.createElement("b"), room.lastChild); room.insertBefore(room.firstChild, null); done(room.childNodes.map(function (n) { return n.nodeName; }));',
    ),
  ).toEqual(['user', 'user', 'b', null, 'a']);
  expect(await thrown('room.insertBefore(x.createElement("a"), room)')).toBe(
    'TypeError: XML.insertBefore: the second argument is no child of this node',
  );
});

test('XML-32: load(url) gets a document', async () => {
  expect(
    await run(
      'x.onLoad = function (ok) { done([ok, x.status, x.firstChild.attributes.name, x.firstChild.lastChild.firstChild.nodeValue]); }; if (x.load(url + "/doc.xml") !== true) done("no");',
    ),
  ).toEqual([true, 0, 'lobby', 'bob']);
  expect(await thrown('x.load(1)')).toBe('TypeError: XML.load: expected a URL as text, got 1');
});

test('XML-33: parseXML(text) replaces what was there', async () => {
  expect(
    await run('var old = room; x.parseXML("<b>c</b>"); done([x.toString(), old.parentNode, x.xmlDecl]);'),
  ).toEqual(['<b>c</b>', null, undefined]);
  expect(await thrown('x.parseXML({})')).toBe('TypeError: XML.parseXML: expected a text, got an object');
});

test('XML-34: removeNode() takes a node and all in it out', async () => {
  expect(
    await run(
      'var gone = room.firstChild; gone.removeNode(); gone.removeNode(); done([gone.parentNode, gone.nextSibling, room.firstChild.attributes.id, room.firstChild.previousSibling, room.childNodes.length]);',
    ),
  ).toEqual([null, null, '2', null, 2]);
});

test('XML-35: send(url) posts the document', async () => {
  expect(await run('done(x.send(url + "/send", "_blank"));', '<a b="1">c</a>')).toBe(true);
  await expect.poll(() => asked('/send')).toMatchObject([{ method: 'POST', body: '<a b="1">c</a>' }]);
});

test('XML-36: sendAndLoad(url, target) gives the answer to the target', async () => {
  expect(
    await run(
      'var to = new XML(); to.onLoad = function (ok) { done([ok, to.firstChild.nodeName, x.firstChild.nodeName]); }; x.sendAndLoad(url + "/doc.xml", to);',
      '<ask/>',
    ),
  ).toEqual([true, 'room', 'ask']);
  expect(asked('/doc.xml').at(-1)).toMatchObject({ method: 'POST', body: '<ask />' });
});

test('XML-37: toString() writes the document with its declarations', async () => {
  expect(await run('done(x.toString());')).toBe(
    '<?xml version="1.0"?><!DOCTYPE room [<!ENTITY x "y">]>\n<room name="lob&quot;by" size="3"><user id="1">ann &amp; co</user><user id="2" />&lt;raw&gt;</room>',
  );
});

test('XML-38: onData(text) has the raw text, undefined when there is none; the default parses and calls onLoad', async () => {
  expect(
    await run('x.onData = function (text) { done([text, x.firstChild]); }; x.load(url + "/bad.xml");', ''),
  ).toEqual(['<a><b></a>', null]);
  expect(await run('x.onData = function (text) { done([text]); }; x.load(url + "/gone");')).toEqual([
    undefined,
  ]);
  expect(
    await run('x.onLoad = function (ok) { done([ok, x.firstChild.nodeName]); }; x.onData("<c/>");'),
  ).toEqual([true, 'c']);
});

test('XML-39: onHTTPStatus(code) comes before onLoad', async () => {
  expect(
    await run(
      'var seen = []; x.onHTTPStatus = function (code) { seen.push(code); }; x.onLoad = function (ok) { done(seen.concat([ok])); }; x.load(url + "/gone");',
    ),
  ).toEqual([410, false]);
});

test('XML-40: onLoad(success) says whether there was a text; status, whether it was good', async () => {
  expect(
    await run('x.onLoad = function (ok) { done([ok, this === x, x.status]); }; x.load(url + "/bad.xml");'),
  ).toEqual([true, true, -9]);
  expect(await run('x.onLoad = function (ok) { done([ok, x.loaded]); }; x.load(url + "/gone");')).toEqual([
    false,
    false,
  ]);
});
