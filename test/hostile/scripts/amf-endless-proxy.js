// Tries: to return a value that has always one more level below.
// Attack: call
// Ends: none | cpu

const endless = () =>
  new Proxy(
    {},
    {
      ownKeys: () => ['down'],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }),
      get: (_, key) => (key === 'down' ? endless() : undefined),
    },
  );
Client.prototype.attack = () => endless();
