// Tries: to overflow the native stack with a chain of a million bound functions.
// Attack: call
// Ends: any

Client.prototype.attack = () => {
  let bound = () => 'called';
  for (let i = 0; i < 200_000; i++) bound = bound.bind(null, i);
  return bound();
};
