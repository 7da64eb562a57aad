// Tries: to abort the process: half a gigabyte of text, split into half a billion strings.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => 'a'.repeat(2 ** 29 - 24).split('').length;
