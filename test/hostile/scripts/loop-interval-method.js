// Tries: to loop while the runtime looks up the method of a classic `setInterval(object, "method")`.
// Attack: timer
// Ends: cpu

const hostile = {
  get tick() {
    for (;;) {}
  },
};
Client.prototype.attack = () => {
  setInterval(hostile, 'tick', 1);
};
