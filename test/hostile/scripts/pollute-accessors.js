// Tries: to catch the runtime's own objects in setters and getters of Object.prototype and Array.prototype.
// Attack: call
// Ends: none | cpu
// Check: caughtNothing

const caught = [];
const tagOf = Object.prototype.toString;
const isView = ArrayBuffer.isView;
const apply = Reflect.apply;
const note = (value) => {
  if (typeof value !== 'object' || value === null) return;
  const tag = apply(tagOf, value, []);
  if (
    tag === '[object SharedArrayBuffer]' ||
    (isView(value) && apply(tagOf, value.buffer, []) === '[object SharedArrayBuffer]')
  )
    caught[caught.length] = 'shared memory';
  if (typeof value.applySync === 'function' || typeof value.copySync === 'function')
    caught[caught.length] = 'a handle of the host';
  if (value.standing !== undefined || value.outstanding !== undefined)
    caught[caught.length] = 'what the server keeps of a client';
};
Client.prototype.caughtNothing = () => (caught.length === 0 ? true : caught.join());
Client.prototype.attack = function () {
  const names = [
    'number',
    'standing',
    'outstanding',
    'refuse',
    'client',
    'method',
    'onValue',
    'onFailure',
    'id',
    'run',
    'where',
  ];
  names.push(
    'kind',
    'command',
    'body',
    'info',
    'args',
    'name',
    'value',
    'isOk',
    'error',
    'buffer',
    'view',
    'limits',
    'depth',
  );
  for (const name of names) {
    Object.defineProperty(Object.prototype, name, {
      configurable: true,
      get() {
        note(this);
        return undefined;
      },
      set(value) {
        note(this);
        note(value);
        Object.defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true });
      },
    });
  }
  for (let index = 0; index < 8; index++) {
    Object.defineProperty(Array.prototype, index, {
      configurable: true,
      get: () => undefined,
      set(value) {
        note(this);
        note(value);
        Object.defineProperty(this, index, { value, writable: true, configurable: true, enumerable: true });
      },
    });
  }
  this.call('echo', { onResult() {} }, [1, 2, { a: 1 }]);
  setTimeout(() => {}, 1);
  return [1, { a: 2 }];
};
