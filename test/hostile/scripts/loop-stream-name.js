// Tries: to loop when the server looks at a stream again that the script was shown and has changed.
// Attack: publish
// Ends: cpu

application.authorizePublish = (_client, stream) => {
  if (stream.name !== 'attack') return true;
  const forever = () => {
    for (;;) {}
  };
  for (const name of ['name', 'publishQueryString', 'mode'])
    Object.defineProperty(stream, name, { get: forever });
  return true;
};
