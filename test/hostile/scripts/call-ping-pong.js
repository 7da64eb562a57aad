// Tries: to go on for ever with a client that answers at once, one call in the answer to the last.
// Attack: call
// Ends: none
// Check: isPlaying

let rounds = 0;
Client.prototype.isPlaying = () => rounds > 50;
Client.prototype.attack = function () {
  const again = () => {
    rounds++;
    this.invoke('echo', rounds).then(again, () => {});
  };
  for (let i = 0; i < 20; i++) again();
};
