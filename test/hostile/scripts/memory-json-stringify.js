// Tries: to write out an object that shares its parts thirty levels deep, a billion times as long as it is.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  let shared = ['shared'];
  for (let i = 0; i < 30; i++) shared = [shared, shared];
  return JSON.stringify(shared, null, 10).length;
};
