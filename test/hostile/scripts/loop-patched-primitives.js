// Tries: to loop in the setters, species and conversions that built-ins use among themselves.
// Attack: call
// Ends: none

const forever = () => {
  for (;;) {}
};
Client.prototype.attack = () => {
  for (const of of [Array, Map, Set, Promise, RegExp, ArrayBuffer, Object.getPrototypeOf(Uint8Array)]) {
    Object.defineProperty(of, Symbol.species, { configurable: true, get: forever });
  }
  for (const of of [Symbol.prototype, Date.prototype]) {
    Object.defineProperty(of, Symbol.toPrimitive, { configurable: true, value: forever });
  }
  for (const of of [String.prototype, Number.prototype, Boolean.prototype, Object.prototype]) {
    of.toString = of.valueOf = of.toJSON = forever;
  }
  Object.defineProperty(Array.prototype, 0, { configurable: true, set: forever, get: forever });
  return [1, 'a', { b: [2] }];
};
