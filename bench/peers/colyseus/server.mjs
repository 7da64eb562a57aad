// A room of slots that any of its clients sets. Prints `ready PORT`.
import { Room, Server } from '@colyseus/core';
import { schema, t } from '@colyseus/schema';
import { WebSocketTransport } from '@colyseus/ws-transport';

const Slots = schema({ slots: t.map('number') }, 'Slots');

class Board extends Room {
  state = new Slots();
  // No patch every 50 ms, but one right after each change: as many as there are changes, and as soon as can be.
  patchRate = null;
  messages = {
    set: (_client, { key, value }) => {
      this.state.slots.set(key, value);
      this.broadcastPatch();
    },
  };
}

const transport = new WebSocketTransport();
const server = new Server({ transport, greet: false, gracefullyShutdown: false });
server.define('board', Board).filterBy(['object']);
await server.listen(0, '127.0.0.1');
console.log(`ready ${transport.server.address().port}`);
