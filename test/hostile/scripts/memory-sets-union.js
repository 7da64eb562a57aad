// Tries: to let the set operations of the language copy ever larger sets.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  let set = new Set([0]);
  const all = [];
  for (let i = 1; ; i++) {
    set = set.union(new Set([...set].map((n) => n + set.size)));
    all.push(
      set,
      Object.groupBy([...set], (n) => n % i),
    );
  }
};
