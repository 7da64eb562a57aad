// Tries: to loop in `Error.prepareStackTrace` while the script itself reads a stack.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => {
  Error.prepareStackTrace = () => {
    for (;;) {}
  };
  return new Error('read my stack').stack;
};
