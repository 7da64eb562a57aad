/**
 * Live streaming with a stream key. Publish to rtmp://HOST/live/STREAM?key=KEY (in OBS: stream key "STREAM?key=KEY");
 * anybody may watch rtmp://HOST/live/STREAM.
 */

/** Who may publish what. Save this file to change it: the running server takes it over. */
const keys: Record<string, string> = {
  demo: 'stage-door',
};

application.onConnect = (client) => {
  trace(`${client.ip} connected with ${client.agent || 'an unnamed player'}`);
  return true;
};

// After this file was saved: those who are connected stay, and nobody need hear of it.
application.onReattach = () => true;

application.authorizePublish = (client, stream) => {
  const key = new Map(parseQuery(stream.publishQueryString)).get('key');
  const isAllowed = Object.hasOwn(keys, stream.name) && keys[stream.name] === key;
  if (!isAllowed) trace(`${client.ip} may not publish ${stream.name}: ${key ? 'wrong key' : 'no key'}`);
  return isAllowed;
};

application.onPublish = (client, stream) => trace(`${stream.name} is on air from ${client.ip}`);
application.onUnpublish = (_client, stream) => trace(`${stream.name} is off air`);

function parseQuery(query: string): [string, string][] {
  return query.split('&').map((pair) => {
    const [name = '', value = ''] = pair.split('=');
    return [name, decoded(value)];
  });
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // a lone % is no escape: then the key is meant as it stands
  }
}
