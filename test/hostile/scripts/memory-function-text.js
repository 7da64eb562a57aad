// Tries: to ask functions of megabytes for their text, again and again, and to keep it.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (let i = 0; i < 200; i++) {
    const fn = new Function(`/* ${i} ${'x'.repeat(1_000_000)} */ return ${i};`);
    all.push(fn, `${fn}${fn.bind(null)}`.toUpperCase());
  }
  return all.length;
};
