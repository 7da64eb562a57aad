// Tries: to call the runtime with hardly any stack left, so that it fails half-way through its own work.
// Attack: call
// Ends: none | cpu
// Check: worksStill

let answers = 0;
Client.prototype.worksStill = () => {
  const attacker = application.clients[2];
  attacker?.invoke('echo', 'still').then((value) => {
    if (value === 'still') answers++;
  });
  return answers > 0 && application.clients.length === 3;
};
Client.prototype.attack = function () {
  const client = this;
  const attempts = [
    () => trace('at the edge'),
    () => client.call('echo', null, { a: [1, { b: 2 }] }),
    () => client.invoke('echo', 1).catch(() => {}),
    () => clearTimeout(setTimeout(() => {}, 1e6)),
    () => application.broadcastMsg('echo', [1, 2]),
    () => console.log({ a: { b: { c: [1] } } }),
    () => crypto.randomUUID(),
    () => Promise.resolve(1).then(() => {}),
    () => new Date().toString(),
  ];
  for (const attempt of attempts) {
    const down = () => {
      try {
        down();
      } catch {
        // Each frame on the way up tries again with a little more stack.
      }
      if (tries-- > 0) {
        try {
          attempt();
        } catch {
          // Refused, as it should be.
        }
      }
    };
    let tries = 100;
    down();
  }
  return 'done';
};
