// Tries: to overflow the stack of the parser with a million brackets, arrows, templates and blocks.
// Attack: call
// Ends: any

const sources = [
  '('.repeat(1e6),
  `${'['.repeat(1e6)}${']'.repeat(1e6)}`,
  `${'{'.repeat(1e6)}${'}'.repeat(1e6)}`,
  `${'a=>'.repeat(300_000)}1`,
  `${'`${'.repeat(300_000)}1${'}`'.repeat(300_000)}`,
  `${'!'.repeat(1e6)}1`,
  `${'1+'.repeat(1e6)}1`,
  `${'a?'.repeat(300_000)}1${':1'.repeat(300_000)}`,
  `class A{x=${'class{x='.repeat(100_000)}1${'}'.repeat(100_000)}}`,
];
Client.prototype.attack = () => {
  for (const source of sources) {
    try {
      (0, eval)(source);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
    }
  }
  return 'survived';
};
