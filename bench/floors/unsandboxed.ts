/**
 * The floor under calls: the host's own listener and sessions, but the handler runs right there. No core process,
 * no isolate, no turns; arguments are decoded and answers encoded by the same codec that the sandbox uses.
 */
import { Connections } from '../../host/base/connections.ts';
import { defaultLimits } from '../../host/base/limits.ts';
import { createLog } from '../../host/base/log.ts';
import { RtmpListener } from '../../host/rtmp/listener.ts';
import type { ClientEnd, Lobby, Seat } from '../../host/rtmp/ports.ts';
import { decodeArguments, encodeValues } from '../../runtime/amf.ts';
import { type Move, move } from '../apps/calls/handler.ts';

const methods: Record<string, (argument: Move) => unknown> = { move };

const lobby: Lobby = {
  connect(_request, client) {
    // The session knows its seat only after this has returned.
    queueMicrotask(() => client.accept());
    return makeSeat(client);
  },
};

function makeSeat(client: ClientEnd): Seat {
  return {
    id: 'bench',
    call(_name, transaction, command) {
      const { name, args } = decodeArguments(command);
      const method = methods[name];
      if (method) client.result(transaction, encodeValues([method(args[0] as Move)]));
    },
    callOr: (_name, _transaction, _command, onMissing) => onMissing(),
    sharedObject() {},
    reply() {},
    streamLength: () => Promise.resolve(0),
    decidePlay: () => Promise.reject(new Error('the floor has no streams')),
    openStream() {
      throw new Error('the floor has no streams');
    },
    leave() {},
  };
}

const log = createLog({ format: 'json', level: 'warn' });
const listener = new RtmpListener(lobby, defaultLimits, new Connections(defaultLimits, log), log);
console.log(`ready ${await listener.listen('127.0.0.1', 0)}`);
