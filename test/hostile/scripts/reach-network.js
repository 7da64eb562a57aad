// Tries: to reach the server's own services, the machine's and the cloud's through `fetch`, under every name that
// leads there, and files and data through every scheme.
// Attack: call
// Ends: none
// Check: areAllRefused

const places = [
  'http://127.0.0.1:8080/api/instances',
  'http://localhost/healthz',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://0/',
  'http://0x7f.1/',
  'http://2130706433/',
  'http://0177.0.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://metadata.google.internal/',
  'http://user:password@127.0.0.1/',
  'http://127.0.0.1.nip.io/',
  'http://example.com@127.0.0.1/',
  'http://example.com\\@127.0.0.1/',
  'https://127.0.0.1:1935/',
  'file:///etc/passwd',
  'data:text/plain,reached',
  'blob:null/1',
  'node:fs',
  'rtmp://127.0.0.1/neighbour/room',
  'ftp://127.0.0.1/',
  '//127.0.0.1/',
  '/etc/passwd',
  '',
];
const reached = [];
let refused = 0;
Client.prototype.areAllRefused = () => (reached.length === 0 ? refused === places.length : reached.join());
Client.prototype.attack = () => {
  for (const place of places) {
    new Promise((resolve) => resolve(fetch(place))).then(
      () => reached.push(place),
      () => refused++,
    );
  }
};
