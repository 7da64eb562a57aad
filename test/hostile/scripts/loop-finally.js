// Tries: to survive being stopped: every loop is followed by another in a `catch` and a `finally`.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => {
  for (;;) {
    try {
      for (;;) {}
    } catch {
      for (;;) {}
    } finally {
      for (;;) {}
    }
  }
};
