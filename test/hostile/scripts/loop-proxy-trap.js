// Tries: to loop in the traps of a proxy that a method returns, the first that the encoder calls.
// Attack: call
// Ends: cpu

const forever = () => {
  for (;;) {}
};
Client.prototype.attack = () =>
  new Proxy(
    {},
    {
      ownKeys: forever,
      get: forever,
      has: forever,
      getPrototypeOf: forever,
      getOwnPropertyDescriptor: forever,
    },
  );
