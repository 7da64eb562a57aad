// Tries: to keep its core process busy, with the longest addresses and the most bytes to hash that it answers, again
// and again, and with setters that make addresses grow.
// Attack: call
// Ends: cpu | memory
// Check: wasRefused

const long = 'é'.repeat(5000);
const hosts = [
  'xn--'.repeat(4000),
  'ß.'.repeat(5000),
  '1.'.repeat(8000),
  '['.repeat(9000),
  '\u0301'.repeat(9000),
];
const bytes = new Uint8Array(1_000_000);
let refused = 0;
for (const build of [() => new URL(`http://h/${'x'.repeat(70_000)}`), () => new URL('http://h/').port.x.y]) {
  try {
    build();
  } catch {
    refused++;
  }
}
Client.prototype.wasRefused = () => refused === 2;
Client.prototype.attack = () => {
  for (;;) {
    for (const host of hosts) URL.canParse(`http://${host}/`);
    const url = new URL(`http://h/${long}?${long}#x`);
    url.searchParams.append('more', 'x');
    try {
      url.host = 'ß'.repeat(20_000);
      url.hash = long;
    } catch {
      // Too long.
    }
    crypto.subtle.digest('SHA-512', bytes);
  }
};
