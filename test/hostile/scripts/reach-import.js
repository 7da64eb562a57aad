// Tries: to import: Node's modules, the addon that makes isolates, files of the machine, data as code.
// Attack: call
// Ends: none
// Check: foundNothing

const found = [];
let settled = 0;
const names = [
  'fs',
  'node:fs',
  'node:child_process',
  'isolated-vm',
  '/etc/passwd',
  './main.ts',
  'data:text/javascript,export default 1',
  'file:///etc/passwd',
  'node:process',
];
Client.prototype.foundNothing = () => settled === names.length && (found.length === 0 ? true : found.join());
Client.prototype.attack = () => {
  const load = new Function('name', 'return import(name)');
  for (const name of names) {
    try {
      load(name).then(
        () => {
          settled++;
          found.push(name);
        },
        () => {
          settled++;
        },
      );
    } catch {
      settled++;
    }
  }
};
