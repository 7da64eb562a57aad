// Tries: to keep a client waiting, and everybody behind it, in an `onConnect` that never returns.
// Attack: connect
// Ends: cpu

application.onConnect = (_client, role) => {
  if (role === 'attack') for (;;) {}
  return true;
};
