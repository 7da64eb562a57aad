// Tries: to loop in a `toJSON`, inside of the built-in that calls it.
// Attack: call
// Ends: cpu

Client.prototype.attack = () =>
  JSON.stringify([
    {
      toJSON() {
        for (;;) {}
      },
    },
  ]);
