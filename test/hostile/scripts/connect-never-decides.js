// Tries: to leave a client pending for ever, with a promise that never settles and calls that wait behind it.
// Attack: connect
// Ends: none

application.onConnect = (client, role) => {
  if (role !== 'attack') return true;
  for (let i = 0; i < 1000; i++) client.call('echo', null, i);
  return new Promise(() => {});
};
