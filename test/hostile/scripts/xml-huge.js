// Tries: to make the XML parser nest, list and copy without end.
// Attack: call
// Ends: none | cpu | memory
// Check: wereBounded

const statuses = [];
Client.prototype.wereBounded = () => statuses.length === 6 && statuses.every((status) => status < 0);
Client.prototype.attack = () => {
  const parse = (text) => statuses.push(new XML(text).status);
  parse('<a>'.repeat(1_000_000));
  parse(`<a>${'<b/>x'.repeat(300_000)}`);
  parse(`<a ${'b="&amp;&#65;&" '.repeat(200_000)}`);
  parse(`<a>${'&'.repeat(1_000_000)}`);
  parse('<!DOCTYPE a [<!ENTITY b "&c;&c;&c;"><!ENTITY c "&b;&b;&b;">]><a>&b;&c;');
  parse('</a>'.repeat(100_000));
  let node = new XML().createElement('deep');
  for (let i = 0; i < 100_000; i++) {
    const above = new XML().createElement('deep');
    above.insertBefore(node, null);
    node = above.firstChild.parentNode;
    node.removeNode();
  }
  try {
    node.toString();
  } catch {}
  try {
    node.cloneNode(true);
  } catch {}
  new LoadVars().decode('a&'.repeat(1_000_000));
  for (let i = 0; ; i++) node.appendChild(node.cloneNode());
};
