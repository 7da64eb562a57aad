// Tries: to call a function with a hundred million arguments.
// Attack: call
// Ends: any

Client.prototype.attack = () => Math.max(...new Array(100_000_000));
