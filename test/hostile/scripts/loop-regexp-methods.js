// Tries: to backtrack for ever inside of String.prototype.replace and of a sticky split, in long text.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => {
  const text = `${'ab'.repeat(20_000)}c`;
  return [text.replaceAll(/(?:(?:ab)*)*d/g, 'x'), text.split(/(?:a|ab|b)+(?=d)/)].length;
};
