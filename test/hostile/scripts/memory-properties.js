// Tries: to add properties to one object, and symbols to the registry, without end.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const target = {};
  for (let i = 0; ; i++) target[`property ${i}`] = Symbol.for(`symbol ${i}`);
};
