// Tries: to reach the runtime's own functions and objects through the call sites of a stack.
// Attack: call
// Ends: none
// Check: foundNothing

const found = [];
Client.prototype.foundNothing = () => (found.length === 0 ? true : found.join());
Client.prototype.attack = () => {
  Error.stackTraceLimit = 200;
  Error.prepareStackTrace = (_error, sites) => {
    for (const site of sites) {
      const isOwn = String(site.getFileName()).startsWith('app:');
      for (const ask of ['getThis', 'getFunction', 'getEvalOrigin', 'getPromiseIndex']) {
        const value = site[ask]?.();
        const isThing = (typeof value === 'object' && value !== null) || typeof value === 'function';
        if (isThing && value !== globalThis && !isOwn) found.push(`${ask} of ${site.getFunctionName()}`);
      }
    }
    return sites;
  };
  const sites = new Error('here').stack;
  [1].map(() => new Error('inner').stack);
  Error.prepareStackTrace = undefined;
  return Array.isArray(sites) ? sites.length : 0;
};
