// Tries: to leave a publisher without an answer: promises that never settle, and verdicts that are no
// verdicts.
// Attack: publish
// Ends: none

application.authorizePublish = (_client, stream) => {
  if (stream.name === 'attack') return new Promise(() => {});
  return true;
};
application.authorizePlay = () => true;
