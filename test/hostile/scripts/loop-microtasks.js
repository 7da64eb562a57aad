// Tries: to keep the microtask queue from ever running dry.
// Attack: call
// Ends: cpu | memory

Client.prototype.attack = () => {
  const again = () => queueMicrotask(again);
  again();
};
