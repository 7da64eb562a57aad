// Tries: to copy and reverse inside an array-like of 2^53 elements that has none.
// Attack: call
// Ends: cpu | stuck | crash

Client.prototype.attack = () => {
  Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);
  Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
};
