// Tries: to decide about a client in every way at once, and again each time it changes its mind.
// Attack: connect
// Ends: none

application.onConnect = (client, role) => {
  if (role !== 'attack') return true;
  for (let i = 0; i < 1000; i++) {
    application.rejectConnection(client, `no ${i}`, { i });
    application.acceptConnection(client);
    application.disconnect(client);
  }
  return {
    then: (resolve) => {
      resolve(true);
      resolve(false);
      throw new Error('neither');
    },
  };
};
