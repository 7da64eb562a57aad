// Tries: to raise and divide BigInts in single steps that take seconds.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  for (let i = 1n; ; i++) (2n ** 30_000_000n - i) ** 20n / 3n ** 1_000_000n;
};
