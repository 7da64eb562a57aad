// Tries: to fail with errors of a hundred megabytes where no runtime can cut them.
// Attack: call
// Ends: none | cpu | memory | stuck | crash

const AsyncFunction = (0, eval)('(async () => {}).constructor');
Client.prototype.attack = () => {
  const reject = new AsyncFunction('reason', 'throw reason');
  const text = 'x'.repeat(100_000_000);
  for (let i = 0; i < 3; i++) {
    reject(Object.assign(new Error(text + i), { stack: text }));
    reject(text + i);
  }
};
