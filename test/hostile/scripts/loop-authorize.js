// Tries: to loop where the script is asked whether a client may publish.
// Attack: publish
// Ends: cpu

application.authorizePublish = (_client, stream) => {
  if (stream.name === 'attack') for (;;) {}
  return true;
};
