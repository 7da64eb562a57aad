// Tries: to print a value that has always one more level and one more key.
// Attack: call
// Ends: none | cpu

const endless = () =>
  new Proxy(
    {},
    {
      ownKeys: () => Array.from({ length: 10_000 }, (_, i) => `k${i}`),
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }),
      get: (_, key) => (typeof key === 'string' && key.startsWith('k') ? endless() : undefined),
    },
  );
Client.prototype.attack = () => {
  for (let i = 0; i < 50; i++) console.log(endless());
};
