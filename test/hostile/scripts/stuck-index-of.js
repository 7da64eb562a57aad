// Tries: to search an array-like of 2^53 elements with a built-in that looks for no interrupt.
// Attack: call
// Ends: cpu | stuck | crash

Client.prototype.attack = () => Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 'nothing');
