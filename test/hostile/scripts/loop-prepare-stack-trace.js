// Tries: to loop in `Error.prepareStackTrace`, which whoever reads a stack calls.
// Attack: call
// Ends: none | cpu

Client.prototype.attack = () => {
  Error.prepareStackTrace = () => {
    for (;;) {}
  };
  throw new Error('read my stack');
};
