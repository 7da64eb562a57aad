// Tries: to make String.raw walk a template of 2^53 parts.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => String.raw({ raw: { length: 2 ** 53 - 1 } }).length;
