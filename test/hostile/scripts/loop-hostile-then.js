// Tries: to loop in the `then` of what a method returns, and in the getter that finds it.
// Attack: call
// Ends: cpu

let reads = 0;
Client.prototype.attack = () => ({
  get then() {
    // The first reads see a promise; the one behind them never comes back.
    if (++reads > 2) for (;;) {}
    return (resolve) => resolve(this);
  },
});
