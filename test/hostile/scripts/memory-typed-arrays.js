// Tries: to keep typed arrays, whose bytes lie outside the heap.
// Attack: call
// Ends: none | memory | cpu | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (;;) all.push(new Uint8Array(1024 * 1024).fill(1));
};
