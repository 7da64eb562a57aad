import { afterAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { TestServer, useServer } from '../support/server.ts';

/** What is connected to. */
const FAR = {
  'main.js': `
    application.onConnect = (client, ...args) => {
      if (args[0] === 'no') { application.rejectConnection(client, { why: 'private' }); return; }
      Object.assign(client, { args,
        add: (a, b) => a + b,
        fails: () => { throw new RpcError('Far.Away', 'too far', { km: 3 }); },
        about: () => [client.agent, client.referrer, client.args, client.uri],
        callBack: (method, ...rest) => client.invoke(method, ...rest),
        end: () => application.disconnect(client) });
      return true;
    };
    application.onDisconnect = () => { application.gone = (application.gone ?? 0) + 1; };
    Client.prototype.left = () => application.gone ?? 0;`,
};

const far = await new TestServer({ apps: { far: FAR } }).ready();
afterAll(() => far.destroy());

const near = useServer({
  apps: {
    near: {
      'main.js': runsCode,
      'app.json': JSON.stringify({ connect: { hosts: [new URL(far.rtmp).host], apps: ['far'] } }),
    },
    far: FAR,
  },
});

/** Runs code of the script with `nc`, a connection to that address, and `heard`, what its onStatus was told. */
async function linked(uri: string, code: string, ...args: unknown[]): Promise<unknown> {
  const client = await connect(`${near.rtmp}/near/room${Math.random()}`);
  const whole = `
    const nc = new NetConnection();
    const heard = [];
    const told = (code) => new Promise((done) => {
      const look = () => { if (heard.some((info) => info.code === code)) done(); else setTimeout(look, 5); };
      look();
    });
    nc.onStatus = (info) => void heard.push(info);
    const [uri, ...rest] = args;
    return (async () => { ${code} })();`;
  return run(client, whole, uri, ...args);
}

const leftOf = async (client: RtmpClient) => (await client.call('left')) as number;

describe.each([
  ['over a socket', () => `${far.rtmp}/far/`, () => far],
  ['on the same server', () => 'rtmp:/far/', () => near],
])('%s', (_, to, server) => {
  const connected = (code: string) => `nc.connect(uri); await told('NetConnection.Connect.Success'); ${code}`;
  const place = (room: string) => `${to()}${room}`;

  test('SNC-01: new NetConnection() is connected to nothing', async () => {
    expect(
      await linked('', 'return [nc instanceof NetConnection, nc.isConnected, nc.uri, nc.call("add", null)];'),
    ).toEqual([true, false, '', false]);
  });

  test('SNC-02: connect reaches onConnect there, with its arguments', async () => {
    const uri = place('two');
    const about = await linked(
      uri,
      `nc.connect(uri + '?key=secret', 'a', { b: [1] }); await told('NetConnection.Connect.Success');
      return nc.invoke('about');`,
    );
    expect(about).toEqual(['Stagewire', 'rtmp:/near', ['a', { b: [1] }], `${uri}?key=secret`]);
  });

  test('SNC-03: close calls onDisconnect there, and nothing here', async () => {
    const observer = await connect(`${server().rtmp}/far/three`);
    expect(
      await linked(place('three'), connected('nc.close(); return [nc.isConnected, heard.length];')),
    ).toEqual([false, 1]);
    await eventually('the other side to hear of it', async () => (await leftOf(observer)) === 1);
  });

  test('SNC-04: call reaches methods of the Client there, and answers reach the result object', async () => {
    const code = connected(`
      const answer = (method, ...args) => new Promise((done) => {
        nc.call(method, { onResult: (value) => done(['result', value]), onStatus: (info) => done(['status', info.code, info.description]) }, ...args);
      });
      return [nc.call('add', null, 1, 1), await answer('add', 2, 3), await answer('fails'), await answer('none')];`);
    expect(await linked(place('four'), code)).toEqual([
      true,
      ['result', 5],
      ['status', 'Far.Away', 'too far'],
      ['status', 'NetConnection.Call.Failed', 'Method not found (none).'],
    ]);
  });

  test('SNC-06: isConnected is true from Success to Closed', async () => {
    const code = `
      const seen = [nc.isConnected];
      nc.connect(uri);
      seen.push(nc.isConnected);
      await told('NetConnection.Connect.Success');
      seen.push(nc.isConnected);
      nc.call('end', null);
      await told('NetConnection.Connect.Closed');
      return [...seen, nc.isConnected, nc.call('add', null, 1, 2)];`;
    expect(await linked(place('six'), code)).toEqual([false, false, true, false, false]);
  });

  test('SNC-07: uri is what it was connected to, without what may be secret', async () => {
    const uri = place('seven');
    expect(await linked(uri, `nc.connect(uri + '?key=secret'); return nc.uri;`)).toBe(uri);
    const secrets = 'http://user:se@cret@host/@path?key';
    expect(await linked(secrets, 'nc.connect(uri); return nc.uri;')).toBe('http://host/@path');
  });

  test('SNC-08: objectEncoding is 3, or 0 if that was set before', async () => {
    const code = `nc.objectEncoding = rest[0]; ${connected('return [nc.objectEncoding, heard[0].objectEncoding];')}`;
    expect(await linked(place('eight'), code, 0)).toEqual([0, 0]);
    expect(await linked(place('eight'), code, 3)).toEqual([3, 3]);
  });

  test('SNC-17: onStatus hears Success, what a refusal says, and that it is over', async () => {
    const codes = `await told('NetConnection.Connect.Closed'); return heard.map(({ code, level, application }) => [code, level, application]);`;
    expect(await linked(place('seventeen'), `nc.connect(uri, 'no'); ${codes}`)).toEqual([
      ['NetConnection.Connect.Rejected', 'error', { why: 'private' }],
      ['NetConnection.Connect.Closed', 'status', undefined],
    ]);
    expect(await linked(place('seventeen'), connected(`nc.call('end', null); ${codes}`))).toEqual([
      ['NetConnection.Connect.Success', 'status', undefined],
      ['NetConnection.Connect.Closed', 'status', undefined],
    ]);
  });

  test('SNC-18: functions on the object can be called from there, those of the class cannot', async () => {
    const code = connected(`
      nc.double = (n) => n * 2;
      nc.deep = { er: { name() { return this === nc.deep.er; } } };
      const failure = (promise) => promise.then(() => "done", (error) => error.message);
      return [await nc.invoke('callBack', 'double', 4), await nc.invoke('callBack', 'deep/er/name'),
        await failure(nc.invoke('callBack', 'connect', 'rtmp:/far/x')), await failure(nc.invoke('callBack', 'nothing'))];`);
    expect(await linked(place('eighteen'), code)).toEqual([
      8,
      true,
      'callBack: CallError: connect: Method not found (connect).',
      'callBack: CallError: nothing: Method not found (nothing).',
    ]);
  });
});

test.each([
  ['over a socket', () => `${far.rtmp}/far/proxied`],
  ['on the same server', () => 'rtmp:/far/proxied'],
])('registerProxy hands calls of clients to the other side, %s', async (_, place) => {
  const room = `${near.rtmp}/near/proxy${Math.random()}`;
  const client = await connect(room);
  const code = `const nc = new NetConnection();
    return new Promise((done) => {
      nc.onStatus = ({ code }) => { application.registerProxy('sum', nc, 'add'); done(code); };
      nc.connect(args[0]);
    });`;
  expect(await run(client, code, place())).toBe('NetConnection.Connect.Success');
  const other = await connect(room);
  expect(await other.call('sum', 20, 22)).toBe(42);
});

test('what cannot be connected to is told, with what to do about it', async () => {
  const why = async (uri: string) =>
    linked(
      uri,
      `const isTried = nc.connect(uri); while (!heard[0]) await new Promise((go) => setTimeout(go, 5));
      return [isTried, heard[0].code, heard[0].description, nc.isConnected];`,
    );
  const { port } = new URL(far.rtmp);
  expect(await why('rtmfp://example.org/app')).toEqual([
    false,
    'NetConnection.Call.BadVersion',
    'Only rtmp, rtmps, http and https are spoken.',
    false,
  ]);
  for (const [uri, part] of [
    ['rtmp://192.0.2.1/app', 'add "192.0.2.1" to connect.hosts in app.json'],
    [`rtmp://localhost:${port}/far`, '"localhost" is this machine: list its address'],
    [`rtmp://example.org:${port}/far`, `add "example.org:${port}" to connect.hosts`],
    ['rtmp:/other/room', 'add "other" to connect.apps in app.json'],
    ['rtmp:/', 'is no name of an application'],
    ['rtmp://user:word@h/app', 'a user or password in the address is refused'],
  ] as const)
    expect(await why(uri)).toEqual([
      true,
      'NetConnection.Connect.Failed',
      expect.stringContaining(part),
      false,
    ]);
});
