// Tries: to let one array grow until no table is large enough.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (;;) all.push(all.length + 0.5);
};
