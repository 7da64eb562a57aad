// Tries: to normalize text of many millions of characters in one step.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const text = '\u0344\u1e9b\u0323'.repeat(1_000_000);
  for (;;) text.normalize('NFKC').normalize('NFD');
};
