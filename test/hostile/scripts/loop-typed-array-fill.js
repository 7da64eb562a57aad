// Tries: to spend the time in built-ins that fill and copy memory.
// Attack: call
// Ends: cpu | stuck | crash

Client.prototype.attack = () => {
  const bytes = new Uint8Array(8 * 1024 * 1024);
  for (;;) bytes.fill(1).copyWithin(1, 0).set(bytes, 0);
};
