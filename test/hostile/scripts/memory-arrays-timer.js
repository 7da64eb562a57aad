// Tries: to grow a little in each of many timers, never long enough to be stopped for its time.
// Attack: timer
// Ends: cpu | memory | stuck | crash

const all = [];
Client.prototype.attack = () => {
  setInterval(() => {
    for (let i = 0; i < 200; i++) all.push(new Array(1000).fill(all.length + 0.5));
  }, 1);
};
