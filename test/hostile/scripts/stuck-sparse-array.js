// Tries: to sort, join, search and fill an array of 2^32 - 1 holes.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const sparse = [];
  sparse[2 ** 32 - 2] = 1;
  return [sparse.includes('x'), sparse.lastIndexOf('x'), sparse.toSorted().length];
};
