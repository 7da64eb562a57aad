// Tries: to call the API with everything that is not what it expects.
// Attack: call
// Ends: none
// Check: hasThrown

let thrown = 0;
Client.prototype.hasThrown = () => thrown > 50;
const odd = [
  undefined,
  null,
  0,
  -1,
  1e308,
  'x'.repeat(10_000),
  '',
  Symbol('s'),
  1n,
  {},
  [],
  () => {},
  new Proxy({}, {}),
  Object.create(null),
];
Client.prototype.attack = function () {
  const { acceptConnection, rejectConnection, disconnect, broadcastMsg } = application;
  const fns = [
    acceptConnection,
    rejectConnection,
    disconnect,
    broadcastMsg,
    setTimeout,
    setInterval,
    queueMicrotask,
  ];
  fns.push(crypto.getRandomValues, Client, Stream, this.call, this.invoke, trace);
  for (const fn of fns) {
    for (const one of odd) {
      for (const self of [undefined, this, application, {}]) {
        try {
          const made = Reflect.apply(fn, self, [one, one, one]);
          if (made && typeof made.catch === 'function') made.catch(() => thrown++);
          if (typeof made === 'number') clearTimeout(made);
        } catch {
          thrown++;
        }
      }
    }
  }
};
