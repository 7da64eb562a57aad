// Tries: to loop in a `toString` that `trace` calls.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => {
  trace({
    toString() {
      for (;;) {}
    },
  });
};
