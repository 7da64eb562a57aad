/**
 * `node subscribers.ts PORT APP OBJECT COUNT`: so many connections that read. With an application they subscribe to
 * its shared object; with `colyseus` they join a room of the peer; with `-` they only read what comes. Prints `ready`,
 * and then, for each line on standard input, how many bytes (not of the peer) and updates have come so far, as JSON.
 */
import { createInterface } from 'node:readline';
import { BenchClient, openSocket } from './client.ts';
import { joinColyseus } from './colyseus.ts';

const [port = '', app = '', object = '', count = ''] = process.argv.slice(2);
const seen = { bytes: 0, updates: 0 };
/** Of the small messages here, in one chunk each (RTMP 1.0, section 5.3.1.2.1). */
const CHUNK_HEADER_BYTES = 12;

for (let i = 0; i < Number(count); i++) {
  if (app === '-') {
    const socket = await openSocket(Number(port));
    socket.on('data', (bytes: Buffer) => {
      seen.bytes += bytes.length;
    });
    continue;
  }
  if (app === 'colyseus') {
    const member = await joinColyseus(Number(port), object);
    member.onChange = () => {
      seen.updates++;
    };
    continue;
  }
  const client = await BenchClient.open(Number(port));
  await client.connect(app);
  let isFirst = true;
  await new Promise<void>((resolve) => {
    client.onShared = ({ payload }) => {
      if (isFirst) {
        isFirst = false;
        return resolve();
      }
      seen.updates++;
      seen.bytes += payload.length + CHUNK_HEADER_BYTES;
    };
    client.use(object);
  });
}

console.log('ready');
createInterface({ input: process.stdin }).on('line', () => console.log(JSON.stringify(seen)));
