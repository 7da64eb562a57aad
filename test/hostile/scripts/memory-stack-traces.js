// Tries: to keep stacks of unlimited length, thrown from deep down.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  Error.stackTraceLimit = Number.POSITIVE_INFINITY;
  const all = [];
  const down = (depth) => {
    if (depth === 0) return all.push(new Error('deep'), new Error('down').stack);
    return down(depth - 1);
  };
  for (;;) down(3000);
};
