// Tries: to loop while `console.log` looks into a value: proxies, tags and constructors that loop.
// Attack: call
// Ends: cpu

const forever = () => {
  for (;;) {}
};
Client.prototype.attack = () => {
  console.log(new Proxy([], { get: forever }));
};
