// Tries: to reverse and sort typed arrays, steps of a second each that look for no interrupt.
// Attack: call
// Ends: cpu | stuck | crash

Client.prototype.attack = () => {
  const bytes = new Uint8Array(8 * 1024 * 1024);
  for (;;) bytes.reverse().sort();
};
