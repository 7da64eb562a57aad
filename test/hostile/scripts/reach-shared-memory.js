// Tries: to get hold of the memory shared with the core, through patched methods of everything that handles
// bytes.
// Attack: call
// Ends: none | cpu
// Check: foundNothing

const found = [];
const { apply, ownKeys, construct } = Reflect;
const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Object;
const typed = getPrototypeOf(Uint8Array.prototype);
const bufferOf = getOwnPropertyDescriptor(typed, 'buffer').get;
const tagOf = Object.prototype.toString;
const isView = ArrayBuffer.isView;
let isOn = false;
const note = (value, where) => {
  if (!isOn || typeof value !== 'object' || value === null) return;
  isOn = false;
  try {
    const buffer =
      isView(value) && apply(tagOf, value, []) !== '[object DataView]' ? apply(bufferOf, value, []) : value;
    if (apply(tagOf, buffer, []) === '[object SharedArrayBuffer]') found[found.length] = where;
  } finally {
    isOn = true;
  }
};
for (const owner of [
  typed,
  Uint8Array.prototype,
  Int32Array.prototype,
  DataView.prototype,
  ArrayBuffer.prototype,
  Array.prototype,
  Function.prototype,
  String.prototype,
]) {
  for (const key of ownKeys(owner)) {
    const own = getOwnPropertyDescriptor(owner, key);
    if (!own.configurable || key === 'constructor') continue;
    const spy = (original) =>
      original &&
      function (...args) {
        note(this, String(key));
        for (let i = 0; i < args.length; i++) note(args[i], String(key));
        const result = apply(original, this, args);
        note(result, String(key));
        return result;
      };
    if (owner === Function.prototype && !['apply', 'call', 'bind'].includes(key)) continue;
    if (typeof own.value === 'function') defineProperty(owner, key, { ...own, value: spy(own.value) });
    else if (own.get) defineProperty(owner, key, { ...own, get: spy(own.get), set: spy(own.set) });
  }
}
for (const name of ['Uint8Array', 'Int32Array', 'DataView', 'ArrayBuffer', 'TextEncoder']) {
  const Native = globalThis[name];
  if (!Native) continue;
  globalThis[name] = new Proxy(Native, {
    construct(_, args, target) {
      const made = construct(Native, args, target);
      note(made, name);
      for (let i = 0; i < args.length; i++) note(args[i], name);
      return made;
    },
  });
}
Client.prototype.foundNothing = () => (found.length === 0 ? true : found.join());
Client.prototype.attack = async function () {
  isOn = true;
  trace('text that crosses the wall');
  setTimeout(() => trace('later'), 1);
  return [await this.invoke('echo', { bytes: [1, 2, 3], text: 'x'.repeat(100_000) }), crypto.randomUUID()];
};
