// Tries: to wait for answers that never come, and to be told so by a promise for each.
// Attack: call
// Ends: none | cpu
// Check: wereRefused

let refused = 0;
Client.prototype.wereRefused = () => refused > 0;
Client.prototype.attack = function () {
  for (let i = 0; i < 3000; i++) {
    this.invoke('never', i).catch(() => refused++);
    this.call('never', { onResult() {}, onStatus() {} }, i);
  }
};
