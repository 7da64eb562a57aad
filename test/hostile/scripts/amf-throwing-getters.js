// Tries: to throw while a value is read: getters, proxies, revoked proxies, dates and views that lie.
// Attack: call
// Ends: none | cpu
// Check: areAllRefused

let refused = 0;
const explode = () => {
  throw {
    toString: explode,
    get stack() {
      return explode();
    },
    get message() {
      return explode();
    },
  };
};
const revoked = Proxy.revocable([], {});
revoked.revoke();
const date = new Date(0);
date.getTime = date.valueOf = date.getTimezoneOffset = explode;
const detached = new Uint8Array(8);
detached.buffer.transfer();
const values = [
  {
    get a() {
      return explode();
    },
  },
  {
    a: {
      b: [
        {
          get c() {
            return explode();
          },
        },
      ],
    },
  },
  new Proxy({}, { ownKeys: explode }),
  new Proxy([1], { get: explode }),
  new Proxy({ a: 1 }, { getOwnPropertyDescriptor: explode }),
  revoked.proxy,
  Symbol('no value of AMF'),
  { toJSON: explode, [Symbol.toPrimitive]: explode, date, detached },
];
Client.prototype.areAllRefused = () => refused >= 5;
Client.prototype.attack = function () {
  for (const value of values) {
    try {
      this.call('echo', null, value);
    } catch {
      refused++;
    }
  }
  return values[0];
};
