// Tries: to send everybody more than they can take.
// Attack: call
// Ends: none | cpu
// Audience: flooded

Client.prototype.attack = () => {
  const text = 'storm '.repeat(100);
  for (;;) application.broadcastMsg('echo', text);
};
