// Tries: to read nested and repeated JSON whose values take many times the text's size.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
  for (;;) all.push(JSON.parse(deep), JSON.parse(`[${'{},'.repeat(500_000)}0]`));
};
