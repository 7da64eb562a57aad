// Tries: to loop when a stream has begun, so that the stream never gets going.
// Attack: publish
// Ends: cpu

application.onPublish = (_client, stream) => {
  if (stream.name === 'attack') for (;;) {}
};
