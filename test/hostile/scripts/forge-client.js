// Tries: to make clients of its own and to act in the name of others.
// Attack: call
// Ends: none
// Check: isRefused

const made = [];
Client.prototype.isRefused = () => (made.length === 0 ? true : made.join());
Client.prototype.attack = function () {
  const forged = [
    Object.create(this),
    Object.assign(Object.create(Client.prototype), this),
    new Proxy(this, {}),
    { number: 1, standing: 'accepted' },
  ];
  const attempts = {
    construct: () => new this.constructor(1, {}),
    reflect: () => Reflect.construct(Object, [], Client),
    newClient: () => new Client(),
    newStream: () => new Stream({ name: 'forged' }),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      const one = attempt();
      if (application.disconnect(one) !== undefined) made.push(name);
    } catch {
      // As it should be.
    }
  }
  for (const [index, one] of forged.entries()) {
    for (const act of [
      application.disconnect,
      application.acceptConnection,
      (client) => this.call.call(client, 'echo'),
    ]) {
      try {
        act(one);
        made.push(`forged ${index}`);
      } catch {
        // As it should be.
      }
    }
  }
};
