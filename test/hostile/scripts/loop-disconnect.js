// Tries: to loop when a client has left.
// Attack: disconnect
// Ends: cpu

application.onConnect = (client, role) => {
  client.role = role;
  return true;
};
application.onDisconnect = (client) => {
  if (client.role === 'attack') for (;;) {}
};
