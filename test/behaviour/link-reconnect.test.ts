import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

/** Connections of scripts that are made again: `NetConnection.reconnect`. */
const FAR = {
  'main.js': `
    application.onAppStart = () => { application.comers = []; };
    application.onConnect = (client, ...args) => {
      application.comers.push(args);
      if (args[0] === 'once' && application.comers.length > 1) {
        application.rejectConnection(client, { why: 'once' });
        return;
      }
      Object.assign(client, {
        comers: () => application.comers, add: (a, b) => a + b, never: () => new Promise(() => {}),
        place: () => application.name, end: () => application.disconnect(client),
        move: (to) => client.requestReconnect(to) });
      return true;
    };`,
};

const far = useServer({ apps: { far: FAR } });
const near = useServer();

/** A way to the far server that can be cut. `arrivals`: when somebody came, in milliseconds. */
async function openWay() {
  const arrivals: number[] = [];
  const sockets = new Set<Socket>();
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const way = { isOpen: true, arrivals, port: 0, cut };
  const listener = createServer((socket) => {
    arrivals.push(performance.now());
    socket.on('error', () => {});
    if (!way.isOpen) return socket.destroy();
    const onwards = connectTcp({ port: far.rtmpPort, host: '127.0.0.1' });
    for (const one of [socket, onwards]) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        socket.destroy();
        onwards.destroy();
      });
    }
    socket.pipe(onwards).pipe(socket);
    return undefined;
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  way.port = (listener.address() as { port: number }).port;
  onTestFinished(() => {
    way.cut();
    listener.close();
  });
  return way;
}

let apps = 0;
/** The script of an application of its own with `nc`, which is made again, and what `heard` its onStatus was told. */
async function script(hosts: readonly string[], limits: object = {}) {
  const name = `near${++apps}`;
  const app = { connect: { hosts, apps: ['far'] }, limits };
  near.writeApp(name, { 'app.json': JSON.stringify(app), 'far.txt': '', 'main.js': runsCode });
  if (apps === 1) near.writeApp('far', FAR);
  await near.waitForLog((r) => r.instance === name && r.message.startsWith('new application'));
  await near.waitForLog((r) => r.instance === 'far' && r.message.startsWith('new application'));
  const client = await connect(`${near.rtmp}/${name}/room`);
  await run(
    client,
    `globalThis.until = async (is) => { while (!is()) await new Promise((go) => setTimeout(go, 2)); };
    globalThis.make = () => {
      const heard = [];
      const nc = new NetConnection();
      nc.reconnect = true;
      nc.onStatus = (info) => void heard.push(info.code.replace('NetConnection.Connect.', ''));
      return { nc, heard };
    };
    Object.assign(globalThis, make());
    globalThis.times = (code, list = heard) => list.filter((one) => one === code).length;
    /** As long as somebody else takes to come back twice: longer than the first attempt waits at most. */
    globalThis.aWhile = async () => {
      const other = make();
      other.nc.connect('rtmp:/far/clock');
      for (let n = 1; n <= 2; n++) {
        await until(() => times('Success', other.heard) === n);
        other.nc.call('end', null);
      }
      await until(() => times('Success', other.heard) === 3);
      other.nc.close();
    };
    return true;`,
  );
  return (code: string, ...args: unknown[]) => run(client, `return (async () => { ${code} })();`, ...args);
}

let rooms = 0;
const room = () => `room${++rooms}`;

test('a connection that breaks comes back with its arguments, and what waits fails once', async () => {
  const way = await openWay();
  const runs = await script([`127.0.0.1:${way.port}`]);
  const uri = `rtmp://127.0.0.1:${way.port}/far/${room()}?key=1`;
  await runs(
    `nc.connect(args[0], 'a', { b: 1 }); await until(() => nc.isConnected);
    globalThis.failed = [];
    nc.call('never', { onResult: () => failed.push('result'), onStatus: (info) => failed.push(info.description) });
    nc.invoke('never').catch((error) => failed.push(error.message));
    return nc.invoke('add', 1, 1);`,
    uri,
  );
  way.cut();
  expect(
    await runs(
      `await until(() => times('Success') === 2); return [heard, failed, await nc.invoke('add', 1, 2), await nc.invoke('comers')];`,
    ),
  ).toEqual([
    ['Success', 'Closed', 'Success'],
    ['The connection was closed', 'never: The connection was closed'],
    3,
    [
      ['a', { b: 1 }],
      ['a', { b: 1 }],
    ],
  ]);
});

test('attempts are in vain for so long, each waits longer, and each says why', async () => {
  const way = await openWay();
  const runs = await script([`127.0.0.1:${way.port}`]);
  await runs(
    `nc.connect(args[0]); await until(() => nc.isConnected);`,
    `rtmp://127.0.0.1:${way.port}/far/${room()}`,
  );
  way.isOpen = false;
  way.cut();
  const cutAt = performance.now();
  await eventually('three attempts', () => way.arrivals.length >= 4);
  const [, ...times] = way.arrivals;
  const waits = times.slice(0, 3).map((at, n) => at - (n === 0 ? cutAt : times[n - 1]!));
  // A quarter less than 250, 500 and 1,000 ms at least; a timer may be early by a millisecond.
  for (const [n, least] of [187, 375, 750].entries()) expect(waits[n]).toBeGreaterThan(least - 10);
  expect(await runs('return [heard.slice(0, 3), nc.isConnected, nc.call("add", null, 1, 2)];')).toEqual([
    ['Success', 'Closed', 'Failed'],
    false,
    false,
  ]);
  way.isOpen = true;
  expect(
    await runs(
      `await until(() => nc.isConnected); return [heard.slice(-2), new Set(heard.slice(2, -1)).size];`,
    ),
  ).toEqual([['Failed', 'Success'], 1]);
});

test('on the same server, too; and who is sent away at once again waits longer each time', async () => {
  const runs = await script([]);
  const code = `nc.connect('rtmp:/far/' + args[0]);
    const waits = [];
    for (let n = 1; n <= 3; n++) {
      await until(() => times('Success') === n);
      const at = performance.now();
      nc.call('end', null);
      await until(() => times('Success') === n + 1);
      waits.push(performance.now() - at);
    }
    return [heard.length, waits.map((ms, n) => ms >= 187 * 2 ** n - 10)];`;
  expect(await runs(code, room())).toEqual([7, [true, true, true]]);
});

test('close, a handler that closes, and no wish for it: it stays closed', async () => {
  const runs = await script([]);
  const code = `
    const [closed, byHandler, unwanted, changed] = [make(), make(), make(), make()];
    byHandler.nc.onStatus = (info) => {
      byHandler.heard.push(info.code.replace('NetConnection.Connect.', ''));
      if (info.code === 'NetConnection.Connect.Closed') byHandler.nc.close();
    };
    unwanted.nc.reconnect = false;
    for (const { nc } of [closed, byHandler, unwanted, changed]) nc.connect('rtmp:/far/' + args[0]);
    await until(() => [closed, byHandler, unwanted, changed].every(({ nc }) => nc.isConnected));
    closed.nc.close();
    for (const { nc } of [byHandler, unwanted, changed]) nc.call('end', null);
    await until(() => [byHandler, unwanted, changed].every(({ heard }) => heard.includes('Closed')));
    changed.nc.reconnect = false;
    changed.nc.reconnect = true;
    await aWhile();
    return [closed, byHandler, unwanted, changed].map(({ nc, heard }) => [nc.isConnected, ...heard]);`;
  expect(await runs(code, room())).toEqual([
    [false, 'Success'],
    [false, 'Success', 'Closed'],
    [false, 'Success', 'Closed'],
    [false, 'Success', 'Closed'],
  ]);
});

test('who is refused does not come again', async () => {
  const runs = await script([]);
  const code = `nc.connect('rtmp:/far/' + args[0], 'once'); await until(() => nc.isConnected);
    nc.call('end', null);
    await until(() => heard.length === 4);
    await aWhile();
    return heard;`;
  expect(await runs(code, room())).toEqual(['Success', 'Closed', 'Rejected', 'Closed']);
});

test('what was never accepted is not tried again', async () => {
  const runs = await script([]);
  const code = `nc.connect('rtmp:/unlisted'); await until(() => heard.length === 1); await aWhile(); return heard;`;
  expect(await runs(code)).toEqual(['Failed']);
});

test('limits.outgoingConnections holds for those that come back', async () => {
  const runs = await script([], { outgoingConnections: 1 });
  const code = `nc.connect('rtmp:/far/' + args[0]); await until(() => nc.isConnected);
    nc.call('end', null);
    await until(() => times('Closed') === 1);
    const other = make();
    other.nc.connect('rtmp:/far/' + args[0]);
    await until(() => times('Failed') === 1);
    other.nc.close();
    await until(() => nc.isConnected);
    return heard.slice(0, 3);`;
  expect(await runs(code, room())).toEqual(['Success', 'Closed', 'Failed']);
});

test.each([
  [
    'to where the other side says',
    (to: string) => `/far/${to}`,
    (to: string) => [`far/${to}`, `rtmp:/far/${to}`],
  ],
  ['whole address', (to: string) => `rtmp:/far/${to}`, (to: string) => [`far/${to}`, `rtmp:/far/${to}`]],
  ['to where it was', () => undefined, () => undefined],
  ['not to what is no address', () => 'http://127.0.0.1/far', () => undefined],
])('a connection is made again when it is asked for: %s', async (_, to, now) => {
  const runs = await script([]);
  const [one, other] = [room(), room()];
  const code = `nc.connect('rtmp:/far/' + args[0]); await until(() => nc.isConnected);
    nc.call('move', null, args[1]);
    await until(() => times('Success') === 2);
    return [heard, await nc.invoke('place'), nc.uri];`;
  const [heard, ...place] = (await runs(code, one, to(other))) as unknown[];
  expect(heard).toEqual(['Success', 'ReconnectRequest', 'Closed', 'Success']);
  expect(place).toEqual(now(other) ?? [`far/${one}`, `rtmp:/far/${one}`]);
});

test('a server of another name is asked for over a socket, and what cannot be reached is left again', async () => {
  const [way, elsewhere] = [await openWay(), await openWay()];
  const runs = await script([way, elsewhere].map(({ port }) => `127.0.0.1:${port}`));
  const [one, other] = [room(), room()];
  const code = `
    if (args[1]) { nc.connect(args[1]); await until(() => nc.isConnected); }
    const before = heard.length;
    nc.call('move', null, args[0]);
    await until(() => nc.isConnected && heard.length > before + 1);
    return [heard.slice(before), nc.uri];`;
  const moved = ['ReconnectRequest', 'Closed', 'Success'];
  const first = `rtmp://127.0.0.1:${way.port}/far/${one}`;
  const second = `rtmp://127.0.0.1:${elsewhere.port}/far/${other}`;
  expect(await runs(code, second.slice('rtmp:'.length), first)).toEqual([moved, second]);
  expect(await runs(code, `/far/${one}`)).toEqual([moved, second.replace(other, one)]);
  // Not listed: it goes back to what connect was given.
  expect(await runs(code, 'rtmp://192.0.2.1/far')).toEqual([
    ['ReconnectRequest', 'Closed', 'Failed', 'Success'],
    first,
  ]);
});

test('a script that does not want to be asked is not, and goes on', async () => {
  const runs = await script([]);
  const code = `nc.reconnect = false; nc.connect('rtmp:/far/' + args[0]); await until(() => nc.isConnected);
    nc.call('move', null);
    return [await nc.invoke('add', 1, 2), heard];`;
  expect(await runs(code, room())).toEqual([3, ['Success']]);
});
