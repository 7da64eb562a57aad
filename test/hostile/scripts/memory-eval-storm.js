// Tries: to compile without end: functions, classes and modules' worth of text, every one different.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (let i = 0; ; i++) {
    const members = Array.from(
      { length: 200 },
      (_, m) => `#m${m} = ${i}; get g${m}() { return this.#m${m}; }`,
    );
    all.push(new Function(`return class C${i} { ${members.join(' ')} }`)());
  }
};
