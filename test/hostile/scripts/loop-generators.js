// Tries: to walk generators that delegate to one another and never end, keeping nothing.
// Attack: call
// Ends: cpu | memory

function* delegate(depth) {
  for (;;) yield* depth > 0 ? delegate(depth - 1) : [1];
}
Client.prototype.attack = () => {
  let sum = 0;
  for (const value of delegate(20)) sum += value;
  return sum;
};
