import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

/** Rows of the API checklist on classes that this server names, and does not have. */
const server = useServer({
  apps: {
    rows: { 'main.js': runsCode },
    own: {
      'main.asc': `
        function Log() { this.lines = []; }
        Log.prototype.add = function (line) { this.lines.push(line); return this.lines.length; };
        var NetGroup = { members: 3 };
        WebService = function (url) { this.url = url; };
        Client.prototype.seen = function () { return [new Log().add("x"), NetGroup.members, new WebService("u").url]; };`,
    },
    module: {
      'main.ts': `
        class XMLSocket { connect() { return 'mine'; } }
        const ByteArray = Uint8Array;
        globalThis.NetStream = class { name = 'own'; };
        Client.prototype.seen = () => [new XMLSocket().connect(), new ByteArray(3).length, new NetStream().name];`,
    },
  },
});

const USES = `
  const Class = globalThis[args[0]];
  const say = (use) => { try { return use(); } catch (error) { return String(error); } };
  return [typeof Class, say(() => new Class('x')), say(() => Class('x')), say(() => Class.open()), say(() => { Class.x = 1; })];`;

/** Every use of the class says the same, and looking at it harms nobody. */
async function expectSign(name: string, advice: string): Promise<void> {
  const client = await connect(`${server.rtmp}/rows`);
  const sentence = `TypeError: ${name}: not offered; ${advice}`;
  expect(await run(client, USES, name)).toEqual(['function', sentence, sentence, sentence, sentence]);
  expect(await run(client, 'console.log(globalThis[args[0]]); return args[0] in globalThis;', name)).toBe(
    true,
  );
}

const rows = {
  'XS-01': ['XMLSocket', 'use fetch'],
  'XST-01': ['XMLStreams', 'use fetch'],
  'WS-01': ['WebService', 'use fetch'],
  'WS-02': ['SOAPCall', 'use fetch'],
  'WS-03': ['SOAPFault', 'use fetch'],
  'WS-04': ['Log', 'use trace or console'],
} as const;
for (const [id, [name, advice]] of Object.entries(rows)) {
  test(`${id}: ${name} says that it is not offered, and what to use`, () => expectSign(name, advice));
}

const PEERS = 'peer-to-peer groups need RTMFP, which this server does not speak';
const groups = [
  'GroupSpecifier',
  'GroupControl',
  'NetGroup',
  'NetGroupInfo',
  'NetGroupReceiveMode',
  'NetGroupReplicationStrategy',
  'NetGroupSendMode',
  'NetGroupSendResult',
  'MulticastStreamInfo',
  'MulticastStreamIngest',
  'ProxyStream',
];
for (const [index, name] of groups.entries()) {
  const id = `P2P-${String(index + 1).padStart(2, '0')}`;
  test(`${id}: ${name} says that there is no peer-to-peer`, () => expectSign(name, PEERS));
}

test('methods that are not offered say so, and can be defined', async () => {
  const client = await connect(`${server.rtmp}/rows/methods`);
  const stream = await client.createStream();
  await stream.publish('show');
  const uses = [
    ['application.denyPeerLookup()', PEERS],
    ['application.sendPeerRedirect()', PEERS],
    ['client.introducePeer()', PEERS],
    ['Stream.setVirtualPath("show")', 'use streams.virtual in app.json'],
  ] as const;
  for (const [use, advice] of uses) {
    const [name] = use.split('(');
    const info = await client.callFails('run', `const stream = application.streams.show; ${use}`);
    expect(info.description).toBe(`TypeError: ${name}: not offered; ${advice}`);
  }
  expect((await client.callFails('introducePeer')).description).toBe('Method not found (introducePeer).');
  expect(
    await run(client, 'application.clearStreams = (path) => path; return application.clearStreams("/")'),
  ).toBe('/');
  expect(
    await run(
      client,
      'Stream.prototype.send = function () { return this.name; }; return application.streams.show.send()',
    ),
  ).toBe('show');
});

test('what a script defines by such a name is its own', async () => {
  expect(await (await connect(`${server.rtmp}/own`)).call('seen')).toEqual([1, 3, 'u']);
  expect(await (await connect(`${server.rtmp}/module`)).call('seen')).toEqual(['mine', 3, 'own']);
});

test('whoever calls a method that uses one is told, and so is the log', async () => {
  const client = await connect(`${server.rtmp}/rows/line`);
  const info = await client.callFails('run', 'return new WebService("http://example.com/wsdl");');
  expect(info.description).toBe('TypeError: WebService: not offered; use fetch');
  await server.waitForLog(({ message }) => message.includes('WebService: not offered; use fetch'));
});
