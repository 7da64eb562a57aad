import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { processCpu } from '../../host/scripts/process-stat.ts';
import { eventually } from '../support/journal.ts';
import { connect, RtmpClient } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';

const accept = 'application.onConnect = () => true; application.onReattach = () => true;';
const hostile = `${accept}
  let served = 0;
  Object.assign(Client.prototype, { attack() { for (;;); }, count() { return served++; } });
  if (application.name.includes('never')) for (;;);`;
const mended = hostile.replaceAll('for (;;);', 'return "mended";').replace(/ {2}if .*/, '');
const calm = `${accept}
  Client.prototype.work = (rounds) => { let x = 0; for (let i = 0; i < rounds; i++) x ^= i; return x >= 0; };`;

/** Enough that a neighbour gets less than half of what it needs beside them. */
const ROOMS = 15 * availableParallelism();
const LIMIT_MS = 600;
const NEED_MS = 80;

/** How many rounds of `work` take so much of a processor, at most: it is measured while others use the machine, too. */
async function roundsFor(client: RtmpClient, ms: number): Promise<number> {
  const rounds = 2e7;
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5; attempt++) {
    const startedAt = performance.now();
    await client.call('work', rounds);
    best = Math.min(best, performance.now() - startedAt);
  }
  return Math.round((rounds * ms) / best);
}

/** Connects and has itself looped for until it is closed; then it comes again. */
async function attack(url: string, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const client = await RtmpClient.dial(url).catch(() => undefined);
    if (!client) return; // the server is gone: the test has failed
    try {
      await client.connect();
      while (!isOver() && !client.isClosed) await client.startCall('attack');
    } catch {
      // It was refused, or closed: that is what it wants.
    } finally {
      client.destroy();
    }
  }
}

const attacks = [
  { where: 'in a handler', room: 'room', code: 'E_HANDLER_TIMEOUT' },
  { where: 'before they have started', room: 'never', code: 'E_SCRIPT' },
];
for (const { where, room, code } of attacks) {
  test(`an application whose rooms all loop for ever ${where} leaves its neighbours their time`, async () => {
    const server = await startServer({
      apps: { hostile: { 'main.ts': hostile }, calm: { 'main.ts': calm } },
      limits: { handlerMs: LIMIT_MS, startMs: LIMIT_MS, backOffMs: 0, deaths: 100 },
    });
    const neighbour = await connect(`${server.rtmp}/calm/room`);
    const rounds = await roundsFor(neighbour, NEED_MS);
    const bystander = await connect(`${server.rtmp}/hostile/bystander`);
    expect(await bystander.call('count')).toBe(0);

    let isOver = false;
    const urls = Array.from({ length: ROOMS }, (_, number) => `${server.rtmp}/hostile/${room}${number}`);
    const attackers = urls.map((url) => attack(url, () => isOver));
    const stopped = (from = 0) =>
      server.log.entries.slice(from).filter((r) => r.code === code && r.instance?.startsWith('hostile'))
        .length;
    const record = await server.waitForLog((r) => r.code === 'E_LEASHED');
    expect(record.instance).toBe('hostile');
    // Those who were at work then run to their end; from here on they wait for one another.
    await eventually('the crowd to be over', () => stopped() >= ROOMS);
    // Others use this machine, too: a single call may come too late, but not one in twelve for ever.
    await eventually('the neighbour to have its time', async () => {
      for (let call = 0; call < 12; call++) {
        const { name } = await neighbour.startCall('work', rounds);
        if (name === '_error') return false;
      }
      return true;
    });

    // It waits behind the others, which is no fault of its own; new code ends the waiting.
    const counted = bystander.call('count');
    isOver = true;
    server.writeFile('hostile/main.ts', mended);
    await server.waitForLog((r) => r.instance === 'hostile' && r.message === 'built');
    const sinceBuilt = server.log.mark;
    await Promise.all(attackers);
    const clients = await Promise.all(urls.map((url) => connect(url)));
    await eventually('all to run the new code', async () => {
      const answers = await Promise.all(clients.map((client) => client.startCall('attack')));
      return answers.every(({ args }) => args[0] === 'mended');
    });
    expect(stopped(sinceBuilt)).toBeLessThan(ROOMS / 2);
    expect(await counted).toBeTypeOf('number');
    expect(server.log.entries.filter((r) => r.code === 'E_LEASHED')).toHaveLength(1);
  });
}

test('an application whose core crashes while many of its instances are at work stays off the leash', async (context) => {
  if (process.platform !== 'linux') return context.skip('core processes are found in /proc');
  const main = `
    Client.prototype.spin = () => { const end = Date.now() + 5000; while (Date.now() < end); };
    Client.prototype.echo = (value) => value;`;
  const server = await startServer({
    apps: { app: { 'main.ts': main } },
    limits: { handlerMs: 20_000 },
  });
  const count = 2 * availableParallelism() + 2;
  const clients = await Promise.all(
    Array.from({ length: count }, (_, n) => connect(`${server.rtmp}/app/room${n}`)),
  );
  const spins = clients.map((client) => client.startCall('spin').then(Boolean, (error) => String(error)));
  // All of them are: each has had its share of the processors.
  const cpuMs = () => server.corePids().reduce((sum, pid) => sum + (processCpu(pid)?.allMs ?? 0), 0);
  const before = cpuMs();
  await eventually('all to be at work', () => cpuMs() > before + count * 100);
  server.killCores();
  await Promise.all(spins);
  for (const [n, client] of clients.entries()) expect(await client.call('echo', n)).toBe(n);
  expect(server.log.entries.filter((r) => r.message.startsWith('its script is gone')).length).toBeGreaterThan(
    availableParallelism(),
  );
  expect(server.log.entries.filter((r) => r.code === 'E_LEASHED')).toEqual([]);
});
