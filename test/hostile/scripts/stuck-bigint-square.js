// Tries: to square a BigInt until nothing fits: each step takes longer than the last and looks for no
// interrupt.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  let value = 3n;
  for (;;) value *= value;
};
