// Tries: to keep very many small buffers, whose records outside the heap are larger than they are.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (;;) all.push(new ArrayBuffer(1));
};
