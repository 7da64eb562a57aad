// Tries: to keep promises that nobody will ever settle, each waiting for the one before.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  let last = new Promise(() => {});
  for (;;) last = last.then((value) => [value, last]);
};
