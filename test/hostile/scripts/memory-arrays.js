// Tries: to push arrays of doubles, which get past the heap limit faster than it is noticed.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (;;) all.push(new Array(1000).fill(1.1));
};
