// Tries: to break the promises that the runtime waits with: patched then, constructor, species and resolve.
// Attack: call
// Ends: none

Client.prototype.attack = async function () {
  const value = await this.invoke('echo', 1);
  Promise.prototype.then = function () {
    return this;
  };
  Promise.prototype.constructor = Array;
  Promise.resolve = Promise.reject = () => {
    throw new Error('patched');
  };
  Object.defineProperty(Promise, Symbol.species, { configurable: true, get: () => Array });
  Object.defineProperty(Promise.prototype, 'catch', {
    get() {
      throw new Error('patched');
    },
  });
  globalThis.Promise = Array;
  return value;
};
