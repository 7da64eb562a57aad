// Tries: to overflow the stack in plain functions, getters, conversions and proxies.
// Attack: call
// Ends: none | cpu
// Check: hasSurvived

let overflows = 0;
Client.prototype.hasSurvived = () => overflows === 4;
Client.prototype.attack = () => {
  const down = () => down() + 1;
  const getter = {
    get self() {
      return this.self;
    },
  };
  const text = { toString: () => `${text}` };
  const proxy = new Proxy({}, { get: (_, key, receiver) => receiver[key] });
  for (const attempt of [down, () => getter.self, () => `${text}`, () => proxy.x]) {
    try {
      attempt();
    } catch (error) {
      if (error instanceof RangeError) overflows++;
    }
  }
  return down();
};
