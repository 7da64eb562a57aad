// Tries: to go on for ever without a loop, each promise making the next.
// Attack: call
// Ends: cpu | memory

Client.prototype.attack = () => {
  const again = () => Promise.resolve().then(again);
  return again();
};
