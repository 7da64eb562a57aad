// Tries: to loop in what runs at the end of things: disposers, and finalizers, which there must be none of.
// Attack: call
// Ends: cpu
// Check: hasNoFinalizers

Client.prototype.hasNoFinalizers = () =>
  typeof FinalizationRegistry === 'undefined' && typeof WeakRef === 'undefined';
Client.prototype.attack = () => {
  const run = new Function(`
    using hostile = { [Symbol.dispose]() { for (;;) {} } };
    return 'left';`);
  return run();
};
