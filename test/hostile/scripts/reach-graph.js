// Tries: to walk the whole graph of objects from every root, symbols and hidden keys included, for memory or
// handles of the host.
// Attack: call
// Ends: none
// Check: foundNothing

const found = [];
let walked = 0;
let isDone = false;
Client.prototype.foundNothing = () => isDone && walked > 500 && (found.length === 0 ? true : found.join());
Client.prototype.attack = function (...args) {
  const seen = new Set();
  const queue = [
    globalThis,
    application,
    this,
    args,
    new Error('x'),
    (0, eval)('async () => {}'),
    Object.getPrototypeOf(function* () {}),
  ];
  const add = (value) => {
    if ((typeof value === 'object' || typeof value === 'function') && value !== null && !seen.has(value)) {
      seen.add(value);
      queue.push(value);
    }
  };
  // A piece at a time: the whole takes longer than a handler may on a busy machine.
  const walk = () => {
    for (let count = 0; count < 500 && queue.length > 0; count++) visit(queue.pop());
    isDone = queue.length === 0;
    if (!isDone) setTimeout(walk, 0);
  };
  const visit = (value) => {
    walked++;
    const tag = Object.prototype.toString.call(value);
    if (/SharedArrayBuffer|Reference|ExternalCopy|Isolate|Context|Callback|WebAssembly/.test(tag))
      found.push(tag);
    if (
      ArrayBuffer.isView(value) &&
      Object.prototype.toString.call(value.buffer) === '[object SharedArrayBuffer]'
    )
      found.push('a view of shared memory');
    add(Object.getPrototypeOf(value));
    for (const key of Reflect.ownKeys(value)) {
      if (/isolate|ivm|outbox|^header|native|internal/i.test(String(key))) found.push(String(key));
      const own = Object.getOwnPropertyDescriptor(value, key);
      add(own?.get);
      add(own?.set);
      if (own && 'value' in own) add(own.value);
      else {
        try {
          add(value[key]);
        } catch {
          // A getter that wants another `this`.
        }
      }
    }
  };
  walk();
};
