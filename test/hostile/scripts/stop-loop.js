// Tries: to stay for ever: `onAppStop` loops when the instance is unloaded, and says no where it does not
// loop.
// Attack: call
// Ends: none

let asked = 0;
application.onAppStop = () => {
  if (++asked > 1) for (;;) {}
  return false;
};
Client.prototype.attack = () => 'see you later';
