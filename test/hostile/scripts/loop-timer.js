// Tries: to loop in a timer, with nobody's call to blame.
// Attack: timer
// Ends: cpu

Client.prototype.attack = () => {
  setTimeout(() => {
    for (;;) {}
  }, 5);
};
