// Tries: to take the runtime's globals away from under it, and to freeze or redefine the application itself.
// Attack: call
// Ends: none

Client.prototype.attack = () => {
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (['alive', 'Client', 'application'].includes(name)) continue;
    try {
      globalThis[name] = undefined;
      delete globalThis[name];
    } catch {
      // Not this one.
    }
  }
  application.clients.length = 0;
  application.clients.push('nobody', { call: 1 });
  return 'nothing is left';
};
