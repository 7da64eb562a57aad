// Tries: to leave no time for anybody else: a thousand intervals of no milliseconds that make each other
// anew.
// Attack: timer
// Ends: none
// Check: hasTicked

let ticks = 0;
Client.prototype.hasTicked = () => ticks > 5000;
Client.prototype.attack = () => {
  const tick = () => {
    ticks++;
    setTimeout(tick, 0);
  };
  for (let i = 0; i < 500; i++) setTimeout(tick, -1);
  for (let i = 0; i < 400; i++) setInterval(() => ticks++, Number.NaN);
};
