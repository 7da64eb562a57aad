// Tries: to read or call what belongs to another instance: its globals, clients, streams and secrets.
// Attack: call
// Ends: none
// Check: foundNothing

const found = [];
let isDone = false;
Client.prototype.foundNothing = () => isDone && (found.length === 0 ? true : found.join());
Client.prototype.attack = async function () {
  for (const name of ['neighbour/room', 'stage/_definst_']) {
    for (const key of ['name', 'hostname', 'server', 'clients']) {
      try {
        application[key] = name;
        if (application[key] === name) found.push(`application.${key} can be set`);
      } catch {
        // Read only.
      }
    }
  }
  if (globalThis.secret !== undefined) found.push('the secret of the neighbour');
  if (application.clients.length > 3) found.push('clients of others');
  for (const client of application.clients)
    if (!client.uri.includes('hostile-reach-neighbours')) found.push(client.uri);
  application.broadcastMsg('takeover', 'everybody');
  globalThis.secret = 'overwritten';
  Object.prototype.secret = 'overwritten';
  isDone = true;
};
