// Tries: to abort the process whenever a certain client connects, until the instance is given up.
// Attack: connect
// Ends: cpu | memory | stuck | crash

application.onConnect = (_client, role) => {
  if (role === 'attack') 'a'.repeat(2 ** 29 - 24).split('');
  return true;
};
