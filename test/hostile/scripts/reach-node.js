// Tries: to find Node: process, require, modules, timers of Node, by name and through code made of text.
// Attack: call
// Ends: none
// Check: foundNothing

const found = [];
Client.prototype.foundNothing = () => (found.length === 0 ? true : found.join());
Client.prototype.attack = () => {
  const names = [
    'process',
    'require',
    'module',
    'exports',
    'global',
    'Buffer',
    'setImmediate',
    'clearImmediate',
    '__dirname',
    '__filename',
  ];
  names.push(
    'ivm',
    'isolate',
    'Deno',
    'Bun',
    'Worker',
    'WebAssembly',
    'Atomics',
    'SharedArrayBuffer',
    'WeakRef',
    'FinalizationRegistry',
  );
  names.push(
    'importScripts',
    'XMLHttpRequest',
    'navigator',
    'gc',
    'd8',
    'print',
    'read',
    'quit',
    'internalBinding',
    'primordials',
  );
  const makers = [
    Function,
    Function('return this')().Function,
    (0, eval)('Function'),
    (() => {}).constructor,
  ];
  makers.push(
    function* () {}.constructor,
    (0, eval)('async () => {}').constructor,
    trace.constructor,
    application.acceptConnection.constructor,
  );
  for (const make of makers) {
    for (const name of names) {
      try {
        let said = make(`return typeof ${name}`)();
        if (typeof said?.next === 'function') said = said.next().value;
        if (typeof said === 'string' && said !== 'undefined') found.push(name);
      } catch {
        // Not that way.
      }
    }
  }
};
