// Tries: to keep the results of everything that makes text longer.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (let i = 1; ; i++) {
    const text = 'growing'.padEnd(1000 * i, 'text');
    all.push(
      text,
      text.replaceAll('t', '$&$&$&$&'),
      text.padStart(3000 * i),
      text.split('').join(' '),
      encodeURIComponent(text.toUpperCase()),
    );
  }
};
