// Without a WebSocket of Node's own the SDK takes ws, which costs less processor time.
delete globalThis.WebSocket;
const { Client } = await import('@colyseus/sdk');

/** Joins the room of that object. Resolves when its state has come. */
export async function join(port, object) {
  const room = await new Client(`ws://127.0.0.1:${port}`).joinOrCreate('board', { object });
  // Whoever loses the server at the end of the bench need not look for it.
  room.reconnection.enabled = false;
  const member = {
    onChange: () => {},
    set: (key, value) => room.send('set', { key, value }),
    close: () => room.leave(),
  };
  await new Promise((resolve) => {
    member.onChange = resolve;
    room.onStateChange(() => member.onChange());
  });
  return member;
}
