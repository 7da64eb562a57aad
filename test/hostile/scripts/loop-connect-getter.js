// Tries: to loop in a getter that stands where the runtime looks for `application.onConnect`.
// Attack: connect
// Ends: cpu

application.onReattach = () => true;
Object.defineProperty(application, 'onConnect', {
  configurable: true,
  get() {
    // Publisher and viewer are there: this is the attacker.
    if (application.clients.length >= 2) for (;;) {}
    return () => true;
  },
});
