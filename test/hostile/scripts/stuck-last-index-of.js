// Tries: to search an array-like of 2^53 elements from its end.
// Attack: call
// Ends: cpu | stuck | crash

Client.prototype.attack = () => Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 'nothing');
