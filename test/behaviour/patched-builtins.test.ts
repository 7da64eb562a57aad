import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** Patches every method of every built-in prototype and notes what memory they are called with. */
const spy = `
  const seen = [];
  const bufferOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'buffer').get;
  const isShared = (value) => Object.prototype.toString.call(value) === '[object SharedArrayBuffer]';
  const note = (value) => {
    if (isShared(value) || (ArrayBuffer.isView(value) && isShared(value.buffer))) seen.push(value);
  };
  const prototypes = [Object.getPrototypeOf(Uint8Array.prototype), Uint8Array.prototype, Int32Array.prototype,
    DataView.prototype, Array.prototype, Map.prototype, Set.prototype, Function.prototype];
  const own = { isArray: Array.isArray, toString: Object.prototype.toString };
  let isOn = false;
  for (const prototype of prototypes) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const { value, configurable } = Object.getOwnPropertyDescriptor(prototype, name);
      if (typeof value !== 'function' || !configurable || name === 'constructor' || prototype === Function.prototype) continue;
      const original = value;
      prototype[name] = function (...args) {
        if (isOn) {
          isOn = false;
          note(this);
          for (let i = 0; i < args.length; i++) note(args[i]);
          isOn = true;
        }
        return Reflect.apply(original, this, args);
      };
    }
  }
  // Accessors and species see buffers too.
  for (const [prototype, name] of [[prototypes[0], 'length'], [prototypes[0], 'byteLength'], [prototypes[0], 'buffer']]) {
    const { get } = Object.getOwnPropertyDescriptor(prototype, name);
    Object.defineProperty(prototype, name, {
      configurable: true,
      get() {
        const value = Reflect.apply(get, this, []);
        if (isOn && (isShared(value) || (name !== 'buffer' && isShared(Reflect.apply(bufferOf, this, []))))) seen.push(this);
        return value;
      },
    });
  }
  const NativeBytes = Uint8Array;
  function Spy(...args) {
    const made = Reflect.construct(NativeBytes, args);
    if (isShared(Reflect.apply(bufferOf, made, []))) seen.push(made);
    return made;
  }
  Object.defineProperty(Uint8Array, Symbol.species, { configurable: true, get() { return Spy; } });
  isOn = true;
  Client.prototype.found = () => seen.length;
  Client.prototype.works = (a) => [a, Math.random() < 1, crypto.randomUUID().length];
`;

const server = useServer({
  apps: {
    spy: { 'main.ts': spy },
    calm: { 'main.ts': 'Client.prototype.alive = () => "alive";' },
  },
});

test('a script that patches every built-in never sees the memory it shares with the core', async () => {
  const client = await connect(`${server.rtmp}/spy`);
  for (let i = 0; i < 5; i++) expect(await client.call('works', { n: i })).toEqual([{ n: i }, true, 36]);
  expect(await client.call('found')).toBe(0);
});

test('other instances do not notice', async () => {
  const client = await connect(`${server.rtmp}/calm`);
  expect(await client.call('alive')).toBe('alive');
});
