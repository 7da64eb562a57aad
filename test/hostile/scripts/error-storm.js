// Tries: to fail in every way at once: thrown, rejected, nested, from error handlers, thousands of times.
// Attack: call
// Ends: none | cpu | memory | mailbox

application.onStatus = () => {
  throw new Error('an error about an error');
};
Client.prototype.attack = () => {
  for (let i = 0; i < 3000; i++) {
    Promise.reject(new Error(`rejected ${i}`));
    queueMicrotask(() => {
      throw new Error(`thrown ${i}`);
    });
  }
  throw new AggregateError([new Error('inner', { cause: new Error('cause') })], 'all of them');
};
