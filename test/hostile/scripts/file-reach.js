// Tries: to leave the application's folder with every path, and to give File what is none of its own.
// Attack: call
// Ends: none | cpu
// Check: wasKeptIn

let got = 0;
let tried = 0;
// A script that was stopped for time has begun anew: it has tried nothing.
Client.prototype.wasKeptIn = () => (tried === 0 || tried > 500) && got === 0;
const ups = [
  '..',
  '../',
  '/..',
  '//',
  '/../',
  '..\\',
  '.\\..',
  '....//',
  '\0',
  'x/../..',
  './.',
  'C:',
  'file://',
  '/proc/self',
];
const ends = ['', '/neighbour/main.ts', '/etc/passwd', '/neighbour', '\\neighbour\\main.ts', '/self/environ'];
const acts = [
  (f) => f.open('text', 'read'),
  (f) => f.open('binary', 'append'),
  (f) => f.exists,
  (f) => f.list() !== false,
  (f) => f.mkdir('x'),
  (f) => f.remove(true),
  (f) => new File('main.ts').copyTo(f),
  (f) => new File('main.ts').renameTo(String(f)),
];
Client.prototype.attack = () => {
  for (const up of ups) {
    for (const end of ends) {
      const path = up + end;
      for (const act of acts) {
        tried++;
        if (act(new File(path))) got++;
      }
    }
  }
  const { prototype } = File;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    for (const self of [undefined, {}, prototype, new Proxy(new File('x'), {})]) {
      try {
        const { value, get, set } = Object.getOwnPropertyDescriptor(prototype, name);
        Reflect.apply(value ?? get ?? set, self, ['main.ts', 'text', 'read']);
      } catch {}
    }
  }
};
