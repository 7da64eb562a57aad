// Tries: to keep compiled regular expressions.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (let i = 0; ; i++) {
    const pattern = new RegExp(`(?:${'[a-z]\\w{2,9}|'.repeat(200)}${i})`, 'iv');
    pattern.test(`some text ${i} \u{1f600}`);
    all.push(pattern);
  }
};
