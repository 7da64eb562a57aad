// Tries: to sort half a million numbers as text, in one step after the other.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const numbers = new Float64Array(500_000).map((_, i) => -i);
  for (;;) Array.from(numbers.sort().reverse()).sort();
};
