// Tries: to climb from every object that the API hands out, by `constructor` and prototype, to a world
// outside.
// Attack: call
// Ends: none
// Check: foundNothing

const found = [];
Client.prototype.foundNothing = () => (found.length === 0 ? true : found.join());
const climb = (start, name) => {
  const seen = new Set();
  const visit = (value, path) => {
    if (
      (typeof value !== 'object' && typeof value !== 'function') ||
      value === null ||
      seen.has(value) ||
      path.length > 12
    )
      return;
    seen.add(value);
    for (const step of ['constructor', '__proto__', 'prototype', 'caller', 'callee', 'arguments']) {
      let next;
      try {
        next = value[step];
      } catch {
        continue;
      }
      visit(next, [...path, step]);
    }
    if (typeof value !== 'function' || value === application.shutdown) return;
    for (const make of [value, value.constructor]) {
      let world;
      try {
        world = make('return this')();
      } catch {
        continue;
      }
      if (
        typeof world === 'object' &&
        world !== null &&
        typeof world.Object === 'function' &&
        world.Object !== Object
      )
        found.push(`another world: ${[name, ...path].join('.')}`);
      if (typeof world?.process !== 'undefined') found.push(`process: ${[name, ...path].join('.')}`);
    }
  };
  visit(start, []);
};
application.onPublish = (client, stream) => {
  climb(client, 'publisher');
  climb(stream, 'stream');
};
Client.prototype.attack = async function (...args) {
  const things = {
    application,
    client: this,
    args,
    trace,
    console,
    crypto,
    performance,
    setTimeout,
    queueMicrotask,
    Client,
    Stream,
    Date,
    Promise,
  };
  for (const [name, thing] of Object.entries(things)) {
    climb(thing, name);
    if (typeof thing === 'object')
      for (const key of Reflect.ownKeys(thing)) climb(thing[key], `${name}.${String(key)}`);
  }
  const answer = await this.invoke('echo', { a: [1, new Date(0)] });
  climb(answer, 'answer');
  try {
    await this.invoke('no such method');
  } catch (error) {
    climb(error, 'error');
    climb(error.info, 'info');
  }
  try {
    setTimeout();
  } catch (error) {
    climb(error, 'thrown by the runtime');
  }
  try {
    (function down() {
      down();
    })();
  } catch (error) {
    climb(error, 'thrown by the engine');
  }
};
