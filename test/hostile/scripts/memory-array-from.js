// Tries: to make arrays of a billion elements in one call.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => [Array.from({ length: 2 ** 32 - 2 }), new Array(2 ** 26).fill(1.5)].length;
