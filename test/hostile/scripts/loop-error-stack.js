// Tries: to loop in the getters of an error, while the runtime describes it.
// Attack: call
// Ends: cpu

class Hostile extends Error {
  get name() {
    return 'Hostile';
  }
  get message() {
    for (;;) {}
  }
}
Client.prototype.attack = () => {
  throw new Hostile();
};
