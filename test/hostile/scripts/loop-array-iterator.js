// Tries: to loop in the iterator of arrays, which whoever spreads one calls without knowing.
// Attack: call
// Ends: none | cpu

Client.prototype.attack = () => {
  Array.prototype[Symbol.iterator] = function* () {
    for (;;) {}
  };
  setTimeout(() => {}, 1);
  return [...[1, 2, 3]];
};
