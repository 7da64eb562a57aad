// Tries: to offer clients what they must not call: the API itself, inherited built-ins, getters with effects.
// Attack: call
// Ends: none
// Check: foundNothing

Client.prototype.foundNothing = function () {
  return typeof this.call === 'function' && Object.getPrototypeOf(this) === Client.prototype;
};
Client.prototype.attack = function () {
  this.deep = { proto: Object.prototype, fn: Function.prototype, self: this, make: Function };
  this.run = Function;
  Object.defineProperty(this, 'trap', {
    get() {
      throw new Error('a getter that throws');
    },
  });
  this.proxy = new Proxy(
    {},
    {
      getPrototypeOf: () => {
        throw new Error('no prototype for you');
      },
      has: () => true,
    },
  );
};
