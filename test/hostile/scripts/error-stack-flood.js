// Tries: to keep the host busy with stacks: thousands of errors, each with frames that have to be looked up
// in a source map.
// Attack: call
// Ends: none | cpu | memory | mailbox

Client.prototype.attack = () => {
  const place = /app:[^:]+:\d+:\d+/.exec(new Error('here').stack)?.[0] ?? '';
  const stack = `Error: flood\n${`    at f (${place})\n`.repeat(8)}`;
  setInterval(() => {
    for (let i = 0; i < 20_000; i++) {
      queueMicrotask(() => {
        throw Object.assign(new Error('flood'), { stack });
      });
    }
  }, 1);
};
