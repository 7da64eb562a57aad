// Tries: to spread a generator that never ends.
// Attack: call
// Ends: cpu | memory | stuck | crash

function* endless() {
  for (let i = 0; ; i++) yield i;
}
Client.prototype.attack = () => [...endless()].length;
