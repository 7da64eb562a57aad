// Tries: to throw what cannot be described: getters that throw, endless text, revoked proxies, errors without
// prototype.
// Attack: call
// Ends: none | memory

const explode = () => {
  throw hostile[0];
};
const revoked = Proxy.revocable(new Error('revoked'), {});
revoked.revoke();
const hostile = [
  Object.defineProperties(new Error(), {
    message: { get: explode },
    stack: { get: explode },
    name: { get: explode },
  }),
  Object.assign(new Error('x'.repeat(1e7)), { stack: 'y\n'.repeat(1e7), name: 'z'.repeat(1e6) }),
  Object.assign(new Error('stack of another kind'), { stack: { toString: explode } }),
  Object.assign(new Error('a stack that lies'), {
    stack:
      'Error\n    at f (app:../../etc/passwd:1:1)\n    at g (/etc/passwd:1:1)\n    at h (node:internal:99999999999:1e9)',
  }),
  Object.setPrototypeOf(new Error('no prototype'), null),
  new Proxy(new Error('proxy'), { get: explode, getPrototypeOf: explode }),
  revoked.proxy,
  { toString: explode },
  Symbol('thrown'),
  undefined,
  null,
  { then: explode },
];
let next = 0;
Client.prototype.attack = function () {
  for (const error of hostile) Promise.reject(error);
  setInterval(() => {
    if (next < hostile.length) throw hostile[next++];
  }, 1);
  throw hostile[0];
};
