// Tries: to look a property up through a chain of a million prototypes, again and again.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  let chain = {};
  for (let i = 0; i < 100_000; i++) chain = Object.create(chain);
  for (let i = 0; ; i++) chain[`missing${i}`];
};
