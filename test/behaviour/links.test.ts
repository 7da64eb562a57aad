import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { encodeCommand } from '../../wire/commands.ts';
import { MessageType } from '../../wire/messages.ts';
import { eventually } from '../support/journal.ts';
import { serveSockets } from '../support/raw-server.ts';
import { connect } from '../support/rtmp-client.ts';
import { FakeServer } from '../support/rtmp-server.ts';
import { run, runsCode } from '../support/run.ts';
import { startServer, useServer } from '../support/server.ts';

/** Connections of scripts to what lies, stalls, floods, goes away or is too much. */
const server = useServer({
  apps: {
    far: {
      'main.js': `
        application.onConnect = (client) => {
          client.flood = (count) => { for (let n = 0; n < count; n++) client.call('take', null, n); };
          return true;
        };
        application.onDisconnect = () => { application.gone = (application.gone ?? 0) + 1; };
        Client.prototype.gone = () => application.gone ?? 0;`,
    },
  },
});

let apps = 0;
/** An application of its own whose script may connect to these. */
async function addApp(hosts: readonly string[], limits: object = {}): Promise<string> {
  const name = `near${++apps}`;
  server.writeFile(`${name}/app.json`, JSON.stringify({ connect: { hosts, apps: ['far'] }, limits }));
  server.writeFile(`${name}/main.js`, runsCode);
  await server.waitForLog((r) => r.instance === name && r.message.startsWith('new application'));
  return name;
}

const heard = `
  const nc = new NetConnection();
  const heard = [];
  nc.onStatus = (info) => void heard.push([info.code, info.description]);
  const until = async (is) => { while (!is()) await new Promise((go) => setTimeout(go, 5)); };`;

test.each([
  [
    'is no RTMP',
    (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(200)),
    /began with the byte 0x48 instead of 0x03/,
  ],
  ['never says anything', () => {}, /no answer to connect within 500 ms \(limits.outgoingConnectMs\)/],
  ['goes away at once', (socket: Socket) => socket.destroy(), /closed|ECONNRESET/],
])('a server that %s: the script hears why', async (_, onSocket, why) => {
  const port = await serveSockets(onSocket);
  const app = await addApp([`127.0.0.1:${port}`], { outgoingConnectMs: 500 });
  const client = await connect(`${server.rtmp}/${app}/room`);
  const code = `${heard} return (async () => { nc.connect(args[0]); await until(() => heard.length > 0); return [heard, nc.isConnected]; })();`;
  expect(await run(client, code, `rtmp://127.0.0.1:${port}/app/room`)).toEqual([
    [['NetConnection.Connect.Failed', expect.stringMatching(why)]],
    false,
  ]);
});

test.each([
  [
    'that cannot be read',
    [0x11, 0x0a, 0xff],
    ['Failed', 'its answer to connect cannot be read: needed 1 bytes, 0 left'],
  ],
  ['that says nothing', [0x05], ['Success', '']],
])('an answer to connect %s', async (_, welcome, [code, description]) => {
  const far = await FakeServer.start(() => {}, Buffer.from(welcome));
  const app = await addApp([`127.0.0.1:${far.port}`]);
  const client = await connect(`${server.rtmp}/${app}/room`);
  const connects = `${heard} return (async () => { nc.connect(args[0]); await until(() => heard.length > 0); return [heard, nc.isConnected]; })();`;
  expect(await run(client, connects, far.url)).toEqual([
    [[`NetConnection.Connect.${code}`, description]],
    code === 'Success',
  ]);
});

test('an answer that cannot be read fails its call, and a connection that is none says so', async () => {
  const far = await FakeServer.start(({ transaction }, guest) => {
    const head = encodeCommand('_result', transaction, null);
    const payload = Buffer.concat([head, Buffer.from([0x11, 0x0a, 0xff])]);
    guest.send({ type: MessageType.CommandAmf0, streamId: 0, timestamp: 0, payload });
  });
  const app = await addApp([`127.0.0.1:${far.port}`]);
  const client = await connect(`${server.rtmp}/${app}/room`);
  const code = `${heard}
    const call = () => nc.invoke('ask').catch(({ code, message }) => [code, message]);
    return (async () => {
      const before = await call();
      nc.connect(args[0]);
      await until(() => nc.isConnected);
      return [before, await call(), nc.isConnected];
    })();`;
  expect(await run(client, code, far.url)).toEqual([
    ['NetConnection.Call.Failed', 'ask: Not connected'],
    ['NetConnection.Call.Failed', 'ask: The answer cannot be read: needed 1 bytes, 0 left.'],
    true,
  ]);
});

test('nobody listens there, and a name that leads to this machine: Failed, with the reason', async () => {
  const port = await serveSockets(() => {});
  const app = await addApp(['127.0.0.1:9', `localhost:${port}`]);
  const client = await connect(`${server.rtmp}/${app}/room`);
  const code = `${heard} return (async () => { nc.connect(args[0]); await until(() => heard.length > 0); return heard[0]; })();`;
  expect(await run(client, code, 'rtmp://127.0.0.1:9/app')).toEqual([
    'NetConnection.Connect.Failed',
    expect.stringContaining('ECONNREFUSED'),
  ]);
  // Nobody is told to list what is refused then.
  for (const uri of [`rtmp://localhost:${port}/app`, 'rtmp://localhost/app'])
    expect(await run(client, code, uri)).toEqual([
      'NetConnection.Connect.Failed',
      expect.stringContaining('"localhost" is this machine'),
    ]);
});

test('more connections than limits.outgoingConnections are refused, and one that is closed makes room', async () => {
  const app = await addApp([], { outgoingConnections: 2 });
  const client = await connect(`${server.rtmp}/${app}/room`);
  const code = `${heard}
    return (async () => {
      const others = [new NetConnection(), new NetConnection()];
      for (const other of others) other.connect('rtmp:/far/many');
      nc.connect('rtmp:/far/many');
      await until(() => heard.length > 0);
      others[0].close();
      nc.connect('rtmp:/far/many');
      await until(() => nc.isConnected);
      return heard;
    })();`;
  expect(await run(client, code)).toEqual([
    [
      'NetConnection.Connect.Failed',
      '2 connections are open, and that is the limit (limits.outgoingConnections)',
    ],
    ['NetConnection.Connect.Success', 'Connection succeeded.'],
  ]);
});

test('connections that are closed count until they are gone', async () => {
  const far = await FakeServer.start((_, { socket }) => {
    socket.allowHalfOpen = true; // from its first call on it does not close its side
  });
  const connects = { hosts: [`127.0.0.1:${far.port}`] };
  const settings = { connect: connects, limits: { outgoingConnections: 1 } };
  const own = await startServer({
    apps: { near: { 'main.js': runsCode, 'app.json': JSON.stringify(settings) } },
    limits: { rejectLingerMs: 60_000 },
  });
  const client = await connect(`${own.rtmp}/near/room`);
  const code = `${heard}
    return (async () => {
      for (let i = 0; ; i++) {
        nc.connect(args[0]);
        await until(() => heard.length > i);
        if (!nc.isConnected) return [i, ...heard[i]];
        nc.call('hold', null);
        nc.close();
      }
    })();`;
  expect(await run(client, code, far.url)).toEqual([
    66,
    'NetConnection.Connect.Failed',
    'too many connections that were closed are still there: try again later',
  ]);
  for (const { socket } of far.guests) socket.destroy();
  const again = `${heard}
    return (async () => {
      for (let i = 0; !nc.isConnected; i++) {
        nc.connect(args[0]);
        await until(() => heard.length > i);
      }
      return heard.at(-1)[0];
    })();`;
  expect(await run(client, again, far.url)).toBe('NetConnection.Connect.Success');
});

test('connections that scripts leave to their streams are no more than limits.outgoingConnections', async () => {
  const far = await FakeServer.start(({ name, transaction }, guest) => {
    if (name === 'createStream') guest.answer(transaction, 1);
    if (name === 'play') guest.status(1, 'NetStream.Play.Start');
  });
  const open = () => far.guests.filter(({ socket }) => !socket.destroyed).length;
  const main = (round: number) => `
    application.onConnect = () => true;
    for (let i = 0; i < 2; i++) {
      const nc = new NetConnection();
      nc.connect('${far.url}/${round}');
      Stream.get('s${round}' + i).play('camera', -1, -1, true, nc);
    }`;
  const app = await addApp([`127.0.0.1:${far.port}`], { outgoingConnections: 2 });
  server.writeFile(`${app}/main.js`, main(0));
  await server.waitForLog((r) => r.instance === app && r.message === 'built');
  await connect(`${server.rtmp}/${app}/room`);
  const plays = () => far.asked.entries.filter(({ name }) => name === 'play').length;
  for (let round = 0; round < 4; round++) {
    if (round > 0) server.writeFile(`${app}/main.js`, main(round));
    await eventually('its streams', () => plays() === 2 * (round + 1));
    await eventually('the others to be over', () => open() === (round === 0 ? 2 : 4));
  }
  // Those of the script before, and its own.
  expect(far.guests.map(({ socket }) => socket.destroyed)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('a flood from the other side is read as fast as the script takes it: nothing lost, in order', async () => {
  const app = await addApp([], { mailboxRecords: 100 });
  const client = await connect(`${server.rtmp}/${app}/room`);
  const code = `${heard}
    return (async () => {
      let next = 0;
      nc.take = (n) => { if (n === next) next++; };
      nc.connect('rtmp:/far/flood');
      await until(() => nc.isConnected);
      nc.call('flood', null, 5000);
      await until(() => next === 5000);
      return next;
    })();`;
  expect(await run(client, code)).toBe(5000);
});

test('a server that does not read: what waits for it has a bound, and the script hears why it is over', async () => {
  const far = await FakeServer.start((_, { socket }) => void socket.pause());
  const app = await addApp([`127.0.0.1:${far.port}`]);
  const client = await connect(`${server.rtmp}/${app}/room`);
  const code = `${heard}
    return (async () => {
      nc.connect(args[0]);
      await until(() => nc.isConnected);
      while (nc.isConnected) {
        nc.call('take', null, 'x'.repeat(100_000));
        await new Promise((go) => setTimeout(go, 1));
      }
      return heard.at(-1);
    })();`;
  expect(await run(client, code, far.url)).toEqual([
    'NetConnection.Connect.Closed',
    expect.stringMatching(/^the other side does not read: \d+ bytes wait for it$/),
  ]);
});

test('new code begins without connections, and the other side hears that the old ones are over', async () => {
  const app = await addApp([]);
  const client = await connect(`${server.rtmp}/${app}/room`);
  const observer = await connect(`${server.rtmp}/far/reload`);
  const code = `${heard} return (async () => { nc.connect('rtmp:/far/reload'); await until(() => nc.isConnected); application.link = nc; return true; })();`;
  expect(await run(client, code)).toBe(true);
  server.writeFile(`${app}/main.js`, `${runsCode} // newer`);
  await eventually('the other side to hear of it', async () => (await observer.call('gone')) === 1);
  expect(await run(client, 'return typeof application.link;')).toBe('undefined');
  expect(await run(client, code)).toBe(true);
});

test('the core of a script is killed: the other side hears that its connection is over, and it connects again', async () => {
  const own = await startServer({
    apps: {
      far: {
        'main.js': `
          application.onConnect = () => true;
          application.onDisconnect = () => trace('gone');`,
      },
      near: {
        'main.js': `
          application.onAppStart = () => {
            const nc = new NetConnection();
            nc.onStatus = ({ code }) => trace(code);
            nc.connect('rtmp:/far/room');
          };
          application.onConnect = () => true;`,
        'app.json': JSON.stringify({ connect: { apps: ['far'] } }),
      },
    },
  });
  await connect(`${own.rtmp}/near/room`);
  const success = (r: { instance?: string; message: string }) =>
    r.instance === 'near/room' && r.message === 'NetConnection.Connect.Success';
  await own.waitForLog(success);
  const from = own.log.mark;
  const { core } = await own.instance('near', 'room');
  process.kill(core!, 'SIGKILL');
  await own.waitForLog((r) => r.instance === 'far/room' && r.message === 'gone', from);
  await own.waitForLog(success, from);
});
