// Tries: to change what the runtime sees in its own objects, with properties of Object.prototype.
// Attack: call
// Ends: none | cpu

const names = [
  'kind',
  'value',
  'error',
  'isOk',
  'client',
  'call',
  'request',
  'number',
  'standing',
  'refuse',
  'description',
];
names.push(
  'level',
  'code',
  'where',
  'message',
  'stack',
  'everyMs',
  'dueMs',
  'onResult',
  'onStatus',
  'isAllowed',
  'reason',
);
Client.prototype.attack = () => {
  for (const name of names) Object.prototype[name] = `polluted ${name}`;
  Object.prototype.then = undefined;
  Object.prototype.length = 4_000_000_000;
  Object.prototype[0] = 'polluted';
  Function.prototype.onResult = () => 'polluted';
  Array.prototype.name = 'polluted';
  return { plain: [1, {}] };
};
