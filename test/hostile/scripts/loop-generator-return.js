// Tries: to loop in the `finally` of a generator that a destructuring closes.
// Attack: call
// Ends: cpu

function* endless() {
  try {
    for (;;) yield 1;
  } finally {
    for (;;) {}
  }
}
Client.prototype.attack = () => {
  const [first] = endless();
  return first;
};
