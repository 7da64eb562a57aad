import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

/** What the API offers, used to hurt the host or others. */
const server = useServer({
  limits: { unansweredCalls: 20, callsPerSecond: 0 },
  apps: {
    rows: { 'main.js': `${runsCode} Client.prototype.never = () => new Promise(() => {});` },
    victim: { 'main.js': runsCode, 'app.json': '{ "config": { "key": "secret" } }', 'keys.txt': 'secret' },
    library: { 'greet.ts': 'export const greeting = "hello";' },
    borrower: {
      'main.ts': `import { greeting } from '../library/greet.ts';
        application.onConnect = () => true; Client.prototype.greet = () => greeting;`,
    },
  },
});

test('an access string has a length, since the host walks it at every play', async () => {
  const client = await connect(`${server.rtmp}/rows/access`);
  const code =
    'try { client.readAccess = ";a/".repeat(2000) } catch (e) { return e.name + ": " + e.message }';
  expect(await run(client, code)).toBe(
    'RangeError: client.readAccess: at most 4096 characters of paths, and these are 6000',
  );
  expect(await run(client, 'return client.readAccess')).toBe('/');
});

test('calls that a script never answers fail from a number on', async () => {
  const client = await connect(`${server.rtmp}/rows/never`);
  for (let call = 0; call < 20; call++) void client.startCall('never').catch(() => {});
  expect((await client.callFails('run', 'return 1')).description).toBe(
    '20 calls of this client wait for their answers, and that is the limit.',
  );
  const other = await connect(`${server.rtmp}/rows/never`);
  expect(await run(other, 'return 1')).toBe(1);
});

test('a bandwidth limit is lifted at once, whatever a client owed under the one before', async () => {
  const client = await connect(`${server.rtmp}/rows/lifted`);
  const other = await connect(`${server.rtmp}/rows/lifted`);
  expect(
    await run(client, 'client.setBandwidthLimit(1e-12, 1e-12); return client.getBandwidthLimit(1)'),
  ).toBe(100);
  const waiting = run(client, 'return args[0].length', 'x'.repeat(5000));
  await run(other, 'application.clients[0].setBandwidthLimit(1e9, 1e9)');
  expect(await waiting).toBe(5000);
});

test('a script that pings without end sends a client few pings', async () => {
  const client = await connect(`${server.rtmp}/rows/pings`);
  await run(client, 'for (let i = 0; i < 1000; i++) client.ping()');
  for (let fence = 0; fence < 20; fence++) expect(await run(client, 'return 1')).toBe(1);
});

test('an application imports from folders that are none, and nothing from another application', async () => {
  expect(await (await connect(`${server.rtmp}/borrower/room`)).call('greet')).toBe('hello');
  for (const file of ['app.json', 'keys.txt']) {
    const name = `thief-${file.replace('.', '-')}`;
    server.writeApp(name, {
      'main.ts': `import stolen from '../victim/${file}'; trace(JSON.stringify(stolen));`,
    });
    const record = await server.waitForLog((r) => r.instance === name && r.code === 'E_BUILD');
    expect(record.detail).toContain('only its own files, those of folders that are no applications');
  }
});

test('an error in a file that is none of the author shows no line of it', async () => {
  server.writeFile('library/broken.ts', 'const secret = = 1;');
  server.writeApp('peeper', { 'main.ts': "import '../library/broken.ts';" });
  const record = await server.waitForLog((r) => r.instance === 'peeper' && r.code === 'E_BUILD');
  expect(record.detail).toContain('broken.ts');
  expect(JSON.stringify(record)).not.toContain('secret');
});
