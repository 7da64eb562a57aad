// Tries: to gather an endless asynchronous source with a built-in that awaits natively.
// Attack: call
// Ends: cpu | memory

async function* endless() {
  for (let i = 0; ; i++) yield i;
}
Client.prototype.attack = () => Array.fromAsync(endless());
