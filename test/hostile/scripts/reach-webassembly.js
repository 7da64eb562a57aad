// Tries: to get at WebAssembly, whose memory no heap limit sees and which shares it between threads.
// Attack: call
// Ends: none
// Check: foundNothing

const found = [];
let isDone = false;
Client.prototype.foundNothing = () => isDone && (found.length === 0 ? true : found.join());
Client.prototype.attack = async () => {
  const ways = {
    global: () => globalThis.WebAssembly,
    text: () => new Function('return WebAssembly')(),
    indirect: () => (0, eval)('WebAssembly'),
    descriptor: () => Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly')?.value,
    shared: () => globalThis.SharedArrayBuffer,
    sharedByText: () => new Function('return new SharedArrayBuffer(8)')(),
    growable: () => new new ArrayBuffer(8).constructor(8, { shared: true }).growable,
    atomics: () => new Function('return Atomics')(),
    module: () => new Function('return import("data:application/wasm;base64,AGFzbQEAAAA=")')(),
    asyncAtomics: () => Array.fromAsync([new Function('return Atomics.waitAsync')()]),
  };
  for (const [name, way] of Object.entries(ways)) {
    try {
      if ((await way()) !== undefined) found.push(name);
    } catch {
      // Not that way.
    }
  }
  isDone = true;
};
