// Tries: to start a million timers.
// Attack: call
// Ends: none | cpu
// Check: wasStopped

let limit = '';
Client.prototype.wasStopped = () => limit.includes('1000 timers');
Client.prototype.attack = () => {
  try {
    for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 1e9 + i);
  } catch (error) {
    limit = error.message;
  }
};
