// Tries: to loop after an `await` that a reply from outside has resumed, in no handler of anybody's.
// Attack: call
// Ends: cpu

Client.prototype.attack = async function () {
  const echoed = await this.invoke('echo', 'anything');
  for (;;) if (echoed === undefined) return;
};
