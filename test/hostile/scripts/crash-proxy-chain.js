// Tries: to overflow the native stack with a hundred thousand proxies around one another.
// Attack: call
// Ends: any

Client.prototype.attack = () => {
  let proxy = {};
  for (let i = 0; i < 100_000; i++) proxy = new Proxy(proxy, {});
  for (const look of [
    () => proxy.x,
    () => 'x' in proxy,
    () => Object.keys(proxy),
    () => Object.getPrototypeOf(proxy),
    () => Array.isArray(proxy),
  ]) {
    try {
      look();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return proxy;
};
