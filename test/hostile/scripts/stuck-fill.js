// Tries: to fill an array-like of 2^53 elements.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 1).length;
