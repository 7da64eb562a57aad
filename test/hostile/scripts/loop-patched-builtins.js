// Tries: to loop in every built-in method of every prototype, for whoever calls one after the handler.
// Attack: call
// Ends: none

const forever = () => {
  for (;;) {}
};
const owners = [
  Object,
  Reflect,
  Array.prototype,
  Map.prototype,
  Set.prototype,
  WeakMap.prototype,
  String.prototype,
];
owners.push(
  Function.prototype,
  Promise.prototype,
  Promise,
  Object.getPrototypeOf(Uint8Array.prototype),
  DataView.prototype,
);
owners.push(Number, Math, JSON, Error);
Client.prototype.attack = () => {
  const { defineProperty, getOwnPropertyDescriptor } = Object;
  const { ownKeys } = Reflect;
  for (let i = 0; i < owners.length; i++) {
    const keys = ownKeys(owners[i]);
    for (let k = 0; k < keys.length; k++) {
      const { value, configurable } = getOwnPropertyDescriptor(owners[i], keys[k]);
      if (typeof value === 'function' && configurable) defineProperty(owners[i], keys[k], { value: forever });
    }
  }
  return 'everything loops now';
};
