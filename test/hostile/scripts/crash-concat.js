// Tries: to grow an array by doubling until no array can be that long.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  let all = [1.5, {}];
  for (;;) all = all.concat(all);
};
