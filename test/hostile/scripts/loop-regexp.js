// Tries: to backtrack for ever in a regular expression.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => /^(a+)+$/.test(`${'a'.repeat(64)}b`);
