// Tries: to abort the process from a timer, when no call is to blame.
// Attack: timer
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  setTimeout(() => 'a'.repeat(2 ** 29 - 24).split(''), 1);
};
