// Tries: to confuse the clock with delays and numbers that are none.
// Attack: timer
// Ends: none
// Check: hasTicked

let ticks = 0;
Client.prototype.hasTicked = () => ticks >= 6;
Client.prototype.attack = () => {
  for (const delay of [Number.NaN, -1e308, '0', null, undefined, {}, Number.MIN_VALUE])
    setTimeout(() => ticks++, delay);
  for (const delay of [Number.POSITIVE_INFINITY, 1e308, 2 ** 31, 2 ** 53]) setTimeout(() => ticks++, delay);
  for (const id of [Number.NaN, -1, {}, 'x', 1e308, undefined]) clearTimeout(id);
};
