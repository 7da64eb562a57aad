// Tries: to print without end, from the handler and from timers.
// Attack: call
// Ends: none | cpu

Client.prototype.attack = () => {
  setInterval(() => trace('and again'), 1);
  for (let i = 0; ; i++) trace(`line ${i}`);
};
