// Tries: to compare and normalize long text, inside a library that knows no interrupt.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const text = 'A\u030a\u0323\u0344'.repeat(500_000);
  for (;;) text.localeCompare(text.normalize('NFKD'), 'de', { usage: 'search' });
};
