// Tries: to fill and join Array(2 ** 32 - 1).
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () =>
  Array(2 ** 32 - 1)
    .fill(0)
    .join('').length;
