// Tries: to loop in a method that a client calls.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => {
  for (;;) {}
};
