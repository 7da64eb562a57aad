// Tries: to start hundreds of requests at once, with bodies, headers and options that are hostile.
// Attack: call
// Ends: none | cpu | memory
// Check: wereAllRefused

let started = 0;
let refused = 0;
Client.prototype.wereAllRefused = () => started === 500 && refused === started;
const explode = () => {
  throw new Error('read me not');
};
const options = [
  undefined,
  null,
  { method: 'CONNECT' },
  { method: 'GET\r\nHost: inside' },
  { headers: { 'x\r\ny': 'z' } },
  { headers: new Proxy({}, { ownKeys: explode, get: explode }) },
  { body: 'x'.repeat(100_000), method: 'POST' },
  { body: new Proxy(new Uint8Array(8), {}), method: 'POST' },
  { timeoutMs: Number.NaN, redirect: 'anywhere' },
  {
    get method() {
      return explode();
    },
  },
];
Client.prototype.attack = () => {
  for (let i = 0; i < 500; i++) {
    started++;
    new Promise((resolve) =>
      resolve(fetch(`http://example.com:${i % 65536}/`, options[i % options.length])),
    ).catch(() => refused++);
  }
};
