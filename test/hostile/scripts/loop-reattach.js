// Tries: to loop once more when a client is handed to the script that follows the one that was stopped.
// Attack: call
// Ends: cpu

application.onConnect = () => true;
application.onReattach = () => {
  // Publisher and viewer came back first.
  if (application.clients.length > 2) for (;;) {}
  return true;
};
Client.prototype.attack = () => {
  for (;;) {}
};
