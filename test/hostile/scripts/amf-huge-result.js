// Tries: to return more than a turn may carry, and to send a message as large to everybody.
// Attack: call
// Ends: none | cpu

Client.prototype.attack = () => {
  const huge = 'x'.repeat(9 * 1024 * 1024);
  try {
    application.broadcastMsg('echo', huge);
  } catch {
    // The next one is for the runtime to catch.
  }
  return huge;
};
