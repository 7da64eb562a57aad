// Tries: to loop in the comparator of a sort.
// Attack: call
// Ends: cpu

Client.prototype.attack = () =>
  [3, 1, 2].sort(() => {
    for (;;) {}
  });
