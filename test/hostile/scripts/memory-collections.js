// Tries: to fill a Map, a Set and a WeakMap until no table is large enough.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const map = new Map();
  const set = new Set();
  const weak = new WeakMap();
  for (let i = 0; ; i++) {
    const key = [i];
    weak.set(key, { key });
    map.set(i, key);
    set.add(`element ${i}`);
  }
};
