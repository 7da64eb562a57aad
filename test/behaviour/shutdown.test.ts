import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';

const stubborn = `
  application.onConnect = () => true;
  application.onAppStop = (info) => { trace('stop ' + info.code + ' ' + info.level); return false; };`;

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: onAppStop runs, clients are told AppShutdown, exit code 0`, async () => {
    const server = await startServer({ apps: { one: { 'main.ts': stubborn }, bare: { 'README.md': '' } } });
    const clients = [await connect(`${server.rtmp}/one`), await connect(`${server.rtmp}/bare`)];
    const startedAt = performance.now();
    server.kill(signal);
    for (const client of clients) {
      await client.closed;
      const status = client.received.entries.find(({ name }) => name === 'onStatus');
      expect(status?.args[0]).toMatchObject({ level: 'error', code: 'NetConnection.Connect.AppShutdown' });
    }
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await server.waitForLog(
      (r) => r.instance === 'one/_definst_' && r.message === 'stop Application.Shutdown status',
    );
    expect(server.errors).toBe('');
  });
}

const obstinate = [
  { name: 'loops', code: 'application.onAppStop = () => { for (;;) {} };' },
  { name: 'never settles', code: 'application.onAppStop = () => new Promise(() => {});' },
  { name: 'throws', code: 'application.onAppStop = () => { throw new Error("no"); };' },
];
for (const { name, code } of obstinate) {
  test(`an onAppStop that ${name} does not hold the server beyond 5 s`, async () => {
    const server = await startServer({
      limits: { handlerMs: 60_000 },
      apps: { app: { 'main.ts': `application.onConnect = () => true; ${code}` } },
    });
    const client = await connect(`${server.rtmp}/app`);
    const startedAt = performance.now();
    server.kill('SIGTERM');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await client.closed;
    const status = client.received.entries.find(({ name }) => name === 'onStatus');
    expect(status?.args[0]).toMatchObject({ code: 'NetConnection.Connect.AppShutdown' });
  });
}

test('a connection that is only half open does not hold the server', async () => {
  const server = await startServer({ apps: { app: { 'main.ts': '' } } });
  const client = await connect(`${server.rtmp}/app`);
  client.pauseReading();
  await server.stop();
});

test('no core outlives its host, even a busy one', async (context) => {
  if (process.platform !== 'linux') return context.skip('core processes are found in /proc');
  const server = await startServer({
    limits: { handlerMs: 60_000 },
    apps: {
      app: {
        'main.ts': 'application.onConnect = () => true; Client.prototype.loop = () => { for (;;) {} };',
      },
    },
  });
  const client = await connect(`${server.rtmp}/app`);
  client.send('loop');
  const pids = server.corePids();
  expect(pids.length).toBeGreaterThan(0);
  await client.startCall('createStream');
  server.kill('SIGKILL');
  await server.exited;
  await eventually('the cores to end', () => pids.every((pid) => !isAlive(pid)));
});

test('no reader outlives its host, even one that V8 keeps busy for minutes', async (context) => {
  if (process.platform !== 'linux') return context.skip('processes are found in /proc');
  const server = await startServer({ apps: { app: { 'main.asc': '' } } });
  const slow = `${'{let a;'.repeat(2000)}${'x;'.repeat(4_000_000)}${'}'.repeat(2000)}`;
  server.writeFile('app/main.asc', slow);
  let busy: number | undefined;
  // The first is given up after two seconds.
  await eventually('the second reader to be at work', () => {
    busy = server.childPids('stagewire-reader').find((pid) => cpuSeconds(pid) > 2.5);
    return busy !== undefined;
  });
  server.kill('SIGKILL');
  await server.exited;
  await eventually('the reader to end', () => !isAlive(busy!));
});

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user! + system!) / 100;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
