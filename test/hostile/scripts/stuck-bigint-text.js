// Tries: to write out a BigInt of some millions of digits and to read it again.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const value = 7n ** 2_000_000n;
  for (;;) BigInt(value.toString(7).length) + BigInt(`0x${'f'.repeat(4_000_000)}`) / value;
};
