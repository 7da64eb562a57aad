// Tries: to loop in the object that takes the answer of a client, in a getter that finds its handler.
// Attack: call
// Ends: cpu

Client.prototype.attack = function () {
  this.call(
    'echo',
    {
      get onResult() {
        for (;;) {}
      },
    },
    1,
  );
};
