// Tries: to loop behind a native `await`, in async functions made of text that the build never saw.
// Attack: call
// Ends: cpu

const AsyncFunction = new Function('return (async () => {}).constructor')();
Client.prototype.attack = () => {
  const late = new AsyncFunction('await null; await null; for (;;) {}');
  const nested = (0, eval)('(async (next) => { await null; return next(); })');
  return nested(late);
};
