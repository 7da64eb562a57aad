// Tries: to join Array(2 ** 32 - 1), empty and with a separator, again and again.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  for (;;) {
    try {
      Array(2 ** 32 - 1).join('separator');
    } catch {
      Array(2 ** 32 - 1).join('');
    }
  }
};
