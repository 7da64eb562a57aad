// Tries: to disconnect, reject and accept one client a hundred thousand times, after it has gone too.
// Attack: call
// Ends: none | cpu

application.onDisconnect = (client) => {
  for (let i = 0; i < 1000; i++) {
    application.disconnect(client);
    application.acceptConnection(client);
    client.call('echo', null, i);
  }
};
Client.prototype.attack = function () {
  for (let i = 0; i < 100_000; i++) {
    application.disconnect(this);
    application.rejectConnection(this);
    application.acceptConnection(this);
  }
};
