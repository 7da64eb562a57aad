// Tries: to loop in the handler that hears of errors, and to make one more in it each time.
// Attack: call
// Ends: cpu

application.onStatus = () => {
  for (;;) {}
};
Client.prototype.attack = () => {
  throw new Error('heard by onStatus');
};
