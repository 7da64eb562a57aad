// Tries: to freeze every object that the runtime may want to change.
// Attack: call
// Ends: none

Client.prototype.attack = function () {
  const seen = new Set();
  const freeze = (value) => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value))
      return;
    seen.add(value);
    for (const key of Reflect.ownKeys(value)) freeze(Object.getOwnPropertyDescriptor(value, key)?.value);
    freeze(Object.getPrototypeOf(value));
    if (!ArrayBuffer.isView(value) && value !== globalThis) Object.freeze(value);
  };
  freeze(globalThis);
  freeze(application);
  freeze(this);
};
