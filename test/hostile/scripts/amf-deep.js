// Tries: to return a value nested a hundred thousand levels deep, in objects, arrays and both.
// Attack: call
// Ends: none | cpu
// Check: hasFailed

let failures = 0;
Client.prototype.hasFailed = () => failures === 4;
Client.prototype.attack = function () {
  const nest = (wrap) => {
    let value = 'core';
    for (let i = 0; i < 100_000; i++) value = wrap(value);
    return value;
  };
  for (const wrap of [(value) => [value], (value) => ({ value }), (value) => [{ value: [value] }]]) {
    try {
      this.call('echo', null, nest(wrap));
    } catch {
      failures++;
    }
  }
  try {
    application.broadcastMsg(
      'echo',
      nest((value) => [value]),
    );
  } catch {
    failures++;
  }
  return nest((value) => ({ value }));
};
