/**
 * The end of a script that replaces every built-in it can reach. It walks from the global object and from what only
 * syntax makes, so that what later versions of V8 bring is covered without a word about it here.
 */

/** What becomes of a built-in: `watch` notes every look at it and every call, and lets both happen. */
export type Patch = 'throw' | 'garbage' | 'watch';

/** What a script is expected to reach through its globals, and may do with as it likes. */
const OWN_API = [
  'application',
  'Client',
  'Stream',
  'trace',
  'console',
  'crypto',
  'performance',
  'setTimeout',
  'setInterval',
  'clearTimeout',
  'clearInterval',
  'queueMicrotask',
  // Loaded on first use, which is after everything else was patched.
  'URL',
  'URLSearchParams',
  'TextEncoder',
  'TextDecoder',
  'structuredClone',
  'Event',
  'EventTarget',
  'AbortController',
  'AbortSignal',
  'DOMException',
  'atob',
  'btoa',
  'verifyToken',
];

/** Handlers: the runtime looks them up on objects of the script, which inherit what the script gave `Object.prototype`. */
const HANDLERS = /^(on[A-Z]|authorize)/;

/** Every word of the runtime that could be a property's name, and indexes. */
export function namesIn(runtime: string): (string | number)[] {
  const words = new Set(runtime.match(/[A-Za-z_$][\w$]*/g));
  const names = [...words].filter((name) => name !== '__proto__' && !HANDLERS.test(name));
  return [...names, ...Array.from({ length: 40 }, (_, index) => index)];
}

/**
 * `names` become accessors of `Object.prototype`, indexes of arrays and functions too. Leaves to the script
 * `application.patches()`, how many built-ins were replaced, and `application.seen()`: what was looked at or called
 * since, in parts that end with a zero.
 */
export function patchEverything(patch: Patch, names: readonly (string | number)[]): string {
  return `
(() => {
  const { apply, construct, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
  const text = String;
  const known = { __proto__: null };
  let all = '';
  let isOn = false;
  const note = (line) => {
    if (!isOn || known[line]) return;
    known[line] = true;
    all += line + '\\0';
  };

  const tagOf = Object.prototype.toString;
  const sourceOf = Function.prototype.toString;
  const bufferOf = getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), 'buffer').get;
  const { isView } = ArrayBuffer;
  /** What a built-in was called with: the source of functions, the kind of objects and the source of their class. */
  const noteValue = (value) => {
    if (typeof value === 'function') note('function ' + apply(sourceOf, value, []));
    if (typeof value !== 'object' || value === null) return;
    const buffer = isView(value) && !(value instanceof NativeView) ? apply(bufferOf, value, []) : value;
    note('object ' + apply(tagOf, buffer, []));
    const made = getOwnPropertyDescriptor(getPrototypeOf(value) ?? {}, 'constructor')?.value;
    if (typeof made === 'function') note('class ' + apply(sourceOf, made, []));
  };
  const NativeView = DataView;

  const own = new Set(${JSON.stringify(OWN_API)});
  const visited = new Set([...own].map((name) => getOwnPropertyDescriptor(globalThis, name).value));
  const found = [];
  const visit = (object, path) => {
    if (object === null || (typeof object !== 'object' && typeof object !== 'function') || visited.has(object)) return;
    visited.add(object);
    for (const key of ownKeys(object)) {
      const name = path + '.' + text(key);
      if (object === globalThis && own.has(key)) continue;
      if (object === Error && key === 'stackTraceLimit') continue; // anything but a number means no stacks
      const descriptor = getOwnPropertyDescriptor(object, key);
      found.push({ object, key, name, descriptor });
      visit(descriptor.value, name);
      visit(descriptor.get, name + '.get');
      visit(descriptor.set, name + '.set');
    }
    visit(getPrototypeOf(object), path + '.__proto__');
  };
  const roots = [
    globalThis, function* () {}, (function* () {})(), [].values(), [].values().map((x) => x), new Map().entries(),
    new Set().values(), 'x'.matchAll(/x/g), ''[Symbol.iterator](), Iterator.from({ next() {} }),
    new Intl.Segmenter().segment('')[Symbol.iterator](), (0, eval)('(async function () {})'),
    (0, eval)('(async function* () {})'), (0, eval)('(async function* () {})()'),
  ];
  roots.forEach((root, index) => visit(root, index === 0 ? '' : 'root' + index));

  const garbage = [undefined, -1, NaN, 'garbage', Object.create(null), () => 7];
  let turn = 0;
  const patched = {
    throw: (name) => function () { note(name); throw name; },
    garbage: (name) => function () { note(name); return garbage[turn++ % 6]; },
    watch: (name, original) => {
      const noteCall = (self, args) => {
        note(name + '()');
        noteValue(self);
        for (let i = 0; i < args.length; i++) noteValue(args[i]);
      };
      const proxy = new Proxy(original, {
        __proto__: null,
        apply(_, self, args) {
          noteCall(self, args);
          return apply(original, self, args);
        },
        construct(_, args, target) {
          noteCall(undefined, args);
          return construct(original, args, target === proxy ? original : target);
        },
      });
      return proxy;
    },
  }.${patch};
  const watched = (key, name, value) => ({
    __proto__: null,
    configurable: true,
    get() { note(name); return value; },
    set(to) {
      note(name + '=');
      defineProperty(this, key, { __proto__: null, value: to, writable: true, enumerable: true, configurable: true });
    },
  });
  const replacement = ({ key, name, descriptor }) => {
    const { value, get, set } = descriptor;
    if (get || set) {
      const accessors = { get: get && patched(name + '.get', get), set: set && patched(name + '.set', set) };
      return { __proto__: null, configurable: true, ...accessors };
    }
    const to = typeof value === 'function' ? patched(name, value) : value;
    return ${patch === 'watch'} ? watched(key, name, to) : { __proto__: null, ...descriptor, value: to };
  };
  const changes = found.map((each) => ({ ...each, to: replacement(each) }));
  for (const [prototype, keys] of [
    [Object.prototype, ${JSON.stringify(names)}],
    [Array.prototype, ${JSON.stringify(names.filter((name) => typeof name === 'number'))}],
    [Function.prototype, ${JSON.stringify(names.filter((name) => typeof name === 'number'))}],
  ]) {
    for (const key of keys) {
      if (Object.hasOwn(prototype, key)) continue;
      const name = 'new ' + key;
      const to = ${patch === 'watch'}
        ? watched(key, name, undefined)
        : { __proto__: null, configurable: true, get: patched(name), set: patched(name + '=') };
      changes.push({ object: prototype, key, to, descriptor: { configurable: true } });
    }
  }

  let patches = 0;
  application.patches = () => patches;
  application.seen = () => all;
  // From here on nothing may use a built-in.
  for (let i = 0; i < changes.length; i++) {
    const change = changes[i];
    if (change.descriptor.configurable) {
      if (defineProperty(change.object, change.key, change.to)) patches++;
    } else if (change.descriptor.writable && typeof change.descriptor.value === 'function') {
      change.object[change.key] = change.to.value;
    }
  }
  isOn = true;
})();
`;
}
