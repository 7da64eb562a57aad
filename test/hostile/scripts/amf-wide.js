// Tries: to return arrays of four billion holes, and objects that claim four billion elements.
// Attack: call
// Ends: none | cpu | memory | stuck

Client.prototype.attack = function () {
  for (const value of [
    Array(2 ** 32 - 1),
    { __proto__: Array.prototype, length: 2 ** 32 - 1 },
    Array(60_000_000).fill(1.5),
  ]) {
    try {
      this.call('echo', null, value);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) trace(error);
    }
  }
  return new Array(2 ** 32 - 1);
};
