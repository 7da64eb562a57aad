// Tries: to call a client a million times in one handler, asking for an answer to each.
// Attack: call
// Ends: none | cpu

Client.prototype.attack = function () {
  const responder = { onResult() {}, onStatus() {} };
  for (let i = 0; i < 1e6; i++) this.call('echo', i % 2 ? responder : null, i);
};
