// Tries: to let one replaceAll grow its text beyond what a string can be.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  let text = 'aa';
  for (;;) {
    try {
      text = text.replaceAll('a', text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      text = text.slice(0, text.length / 2);
    }
  }
};
