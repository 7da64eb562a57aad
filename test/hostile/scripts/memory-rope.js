// Tries: to build half a gigabyte of text out of one rope and then to flatten it.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (let round = 0; ; round++) {
    let rope = `round ${round}`;
    while (rope.length < 2 ** 28) rope += rope;
    all.push(rope, rope.charCodeAt(rope.length >> 1), rope.indexOf('nowhere'));
  }
};
