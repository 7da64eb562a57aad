// Tries: to keep objects, closures and generators without end.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  const keep = function* (value) {
    yield () => [value, all];
  };
  for (let i = 0; ; i++) all.push({ i, next: keep(i), text: [`text ${i}`] });
};
