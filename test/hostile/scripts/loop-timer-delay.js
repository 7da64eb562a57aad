// Tries: to loop in the conversion of a timer's delay and of its number.
// Attack: call
// Ends: cpu

const hostile = {
  [Symbol.toPrimitive]() {
    for (;;) {}
  },
};
Client.prototype.attack = () => {
  clearTimeout(Symbol.iterator in [] ? setTimeout(() => {}, 1) : 0);
  setTimeout(() => {}, hostile);
};
