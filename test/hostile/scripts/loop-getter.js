// Tries: to loop in a getter of the value that a method returns, while the runtime encodes it.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => ({
  get value() {
    for (;;) {}
  },
});
