// Tries: to loop and to throw where `fetch` reads its arguments: addresses, options and headers that are objects.
// Attack: call
// Ends: cpu

const forever = () => {
  for (;;) {}
};
Client.prototype.attack = async () => {
  const hostile = {
    toString: forever,
    [Symbol.toPrimitive]: forever,
    get href() {
      return forever();
    },
  };
  await fetch(hostile, { headers: hostile, method: hostile, body: hostile });
};
