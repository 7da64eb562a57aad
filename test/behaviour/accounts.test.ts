import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { InstanceDetails } from '../../host/web/api.ts';
import { DEADLINE_MS, eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { startServer, type TestServer, useServer } from '../support/server.ts';

const script = `
  application.onConnect = (client, name) => { client.name = name; return true; };
  Object.assign(Client.prototype, {
    spin(times) { let x = 0; for (let i = 0; i < times * 1e6; i++) x = (x + i) | 0; return x !== -1; },
    cheap() { return 1; },
    async later(times) { await null; return this.spin(times); },
    loop() { for (;;); },
    spinThenHoard() { this.spin(500); for (const all = []; ; ) all.push(all.concat(1)); },
    look(times) { for (let i = 0; i < times; i++) new File('/main.ts').exists; },
    share(times) {
      const so = SharedObject.get('so');
      for (let i = 0; i < times; i++) so.setProperty('slot ' + (i % 100), i);
    },
    hoard() { globalThis.kept = []; for (let i = 0; i < 1e6; i++) kept.push([i]); return kept.length; },
  });`;

const server = useServer({ limits: { handlerMs: 2000 }, apps: { app: { 'main.ts': script } } });

async function detailsOf(of: TestServer, name: string): Promise<InstanceDetails> {
  return (await (await fetch(`${of.http}/api/instances/${name}`)).json()) as InstanceDetails;
}

/** Milliseconds of all threads but the first, which moves bytes and runs no script. */
function scriptCpuMs(core: number): number {
  const ticks = (file: string) => {
    const text = readFileSync(file, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  };
  return (ticks(`/proc/${core}/stat`) - ticks(`/proc/${core}/task/${core}/stat`)) * 10;
}

/** Calls until about that much processor time has been used by the core. */
async function spinFor(client: RtmpClient, core: number, ms: number): Promise<void> {
  const end = scriptCpuMs(core) + ms;
  while (scriptCpuMs(core) < end) await client.call('spin', 5);
}

test('processor time is told by handler and by client, the most expensive first', async (context) => {
  if (process.platform !== 'linux') return context.skip('what a core used is read in /proc');
  const url = `${server.rtmp}/app/shares`;
  const [big, small] = [await connect(url, { args: ['big'] }), await connect(url, { args: ['small'] })];
  const { core } = await detailsOf(server, 'app/shares');
  const before = scriptCpuMs(core!);
  const end = before + 1200;
  while (scriptCpuMs(core!) < end) {
    for (let i = 0; i < 3; i++) await big.call('spin', 3);
    await small.call('later', 3);
    await small.call('cheap');
  }
  const used = scriptCpuMs(core!) - before;
  await eventually(
    'the accounts to be settled',
    async () => (await detailsOf(server, 'app/shares')).cpuMs! > used * 0.8,
  );
  const { cpuMs, handlers, connected, turns, deliveries, batchSize } = await detailsOf(server, 'app/shares');
  expect(cpuMs).toBeGreaterThan(used * 0.75);
  expect(cpuMs).toBeLessThan(used * 1.25 + 50);
  expect(handlers.slice(0, 2).map(({ name }) => name)).toEqual(['spin', 'later']);
  const [spin, later] = handlers.map((handler) => handler.cpuMs);
  expect(spin! / later!).toBeGreaterThan(1.8);
  expect(spin! / later!).toBeLessThan(5);
  expect(connected).toHaveLength(2);
  expect(connected[0]!.cpuMs / connected[1]!.cpuMs).toBeGreaterThan(1.8);
  expect(connected[0]!.cpuMs + connected[1]!.cpuMs).toBeGreaterThan(cpuMs! * 0.8);
  expect(turns).toBeGreaterThan(10);
  expect(deliveries).toBeGreaterThanOrEqual(turns);
  expect(batchSize).toBeCloseTo(deliveries / turns);
});

test('threads that compete are not charged for waiting: the accounts add up to what the core really used', async (context) => {
  if (process.platform !== 'linux') return context.skip('what a core used is read in /proc');
  const own = await startServer({
    limits: { handlerMs: 2000, spareCores: 0 },
    apps: { app: { 'main.ts': script } },
  });
  const rooms = ['a', 'b', 'c', 'd', 'e', 'f'];
  const clients: RtmpClient[] = [];
  for (const room of rooms) clients.push(await connect(`${own.rtmp}/app/${room}`));
  const details = () => Promise.all(rooms.map((room) => detailsOf(own, `app/${room}`)));
  const cores = new Set((await details()).map(({ core }) => core));
  expect(cores.size).toBe(1);
  const [core] = [...cores];
  const before = scriptCpuMs(core!);
  await Promise.all(clients.map((client) => spinFor(client, core!, 2500)));
  const used = scriptCpuMs(core!) - before;
  const charged = async () => (await details()).reduce((sum, { cpuMs }) => sum + (cpuMs ?? 0), 0);
  await eventually('the accounts to be settled', async () => Math.abs((await charged()) / used - 1) < 0.25);
});

test('a handler that is stopped is charged to whom it belongs, and what a dead script used still counts', async () => {
  const client = await connect(`${server.rtmp}/app/dies`);
  await client.callFails('loop');
  await client.call('cheap');
  // Of the second that it ran it may have had a processor for a part only.
  await eventually('the account', async () => (await detailsOf(server, 'app/dies')).cpuMs! > 150);
  const { handlers, connected, ends } = await detailsOf(server, 'app/dies');
  expect(handlers[0]!.name).toBe('loop');
  expect(connected[0]!.cpuMs).toBeGreaterThan(75);
  expect(ends).toEqual({ cpu: 1 });
});

test('a script that waits for the host pays nothing of what another computes meanwhile', async (context) => {
  if (process.platform !== 'linux') return context.skip('what a core used is read in /proc');
  const own = await startServer({
    limits: { handlerMs: 10_000, spareCores: 0 },
    apps: { app: { 'main.ts': script } },
  });
  const [spinning, waiting] = [
    await connect(`${own.rtmp}/app/spins`),
    await connect(`${own.rtmp}/app/waits`),
  ];
  const [spins, waits] = [() => detailsOf(own, 'app/spins'), () => detailsOf(own, 'app/waits')];
  const { core } = await spins();
  expect((await waits()).core).toBe(core);
  let isOver = false;
  const looking = (async () => {
    while (!isOver) await waiting.call('look', 300);
  })();
  await spinFor(spinning, core!, 3000);
  isOver = true;
  await looking;
  await eventually('the accounts to be settled', async () => (await spins()).cpuMs! > 1500);
  expect((await waits()).cpuMs).toBeLessThan((await spins()).cpuMs! * 0.5);
});

test('a handler that ran out of time waiting for the host had its time', async () => {
  const client = await connect(`${server.rtmp}/app/patient`);
  const from = server.log.mark;
  await client.callFails('look', 1e9);
  const { message } = await server.waitForLog(
    ({ instance, code }) => instance === 'app/patient' && code === 'E_HANDLER_TIMEOUT',
    from,
  );
  expect(message).toBe('look ran for 2000 ms and was stopped');
});

test('what the host does for a script is told, and counts beyond its end', async () => {
  const client = await connect(`${server.rtmp}/app/host`);
  const hostMs = async () => (await detailsOf(server, 'app/host')).hostMs;
  expect(await hostMs()).toBeLessThan(50);
  while ((await hostMs()) < 100) await client.call('look', 100);
  const afterLooks = await hostMs();
  while ((await hostMs()) < afterLooks + 50) await client.call('share', 5000);
  const before = await hostMs();
  await client.callFails('loop');
  await client.call('cheap');
  expect(await hostMs()).toBeGreaterThanOrEqual(before);
  const seconds = (await metricsOf(server)).get(
    'stagewire_instance_host_seconds_total{app="app",instance="host"}',
  );
  expect(seconds).toBeGreaterThanOrEqual(before / 1000 - 0.001);
});

test('what the host does for a script uses up the allowance of its instance', async () => {
  const own = await startServer({
    limits: { cpuPercent: 10, handlerMs: 10_000 },
    apps: { app: { 'main.ts': script } },
  });
  const client = await connect(`${own.rtmp}/app/room`);
  const startedAt = performance.now();
  let isResting = false;
  while (!isResting) {
    let isAnswered = false;
    void client.call('look', 1000).then(
      () => (isAnswered = true),
      () => {}, // the server is gone before its turn comes
    );
    await eventually('an answer, or a rest', async () => {
      isResting = (await detailsOf(own, 'app/room')).mailbox.ageMs > 1000;
      return isResting || isAnswered;
    });
  }
  // One second, what has come since, and the last turn. Of that the script itself has used a small part.
  const { hostMs, cpuMs } = await detailsOf(own, 'app/room');
  expect(hostMs + cpuMs!).toBeLessThan(2500 + (performance.now() - startedAt) / 10);
  await own.destroy();
});

test('the heap is told', async () => {
  const client = await connect(`${server.rtmp}/app/heap`);
  const before = (await detailsOf(server, 'app/heap')).heapBytes!;
  expect(await client.call('hoard')).toBe(1e6);
  // A busy isolate is not waited for: what is told then is what it said last.
  const grown = async () => (await detailsOf(server, 'app/heap')).heapBytes! - before;
  await expect.poll(grown, { timeout: DEADLINE_MS }).toBeGreaterThan(20e6);
});

test('an instance that does not exist is a 404 that names it', async () => {
  const answer = await fetch(`${server.http}/api/instances/app/nowhere`);
  expect(answer.status).toBe(404);
  expect(await answer.json()).toMatchObject({ message: 'no instance app/nowhere' });
});

/** A metrics page as series: name with labels, and value. */
async function metricsOf(of: TestServer): Promise<Map<string, number>> {
  const answer = await fetch(`${of.http}/metrics`);
  expect(answer.headers.get('content-type')).toContain('text/plain');
  const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('/metrics has the server, its cores and instances, and the ends of scripts by reason', async () => {
  const own = await startServer({ limits: { handlerMs: 200 }, apps: { app: { 'main.ts': script } } });
  const client = await connect(`${own.rtmp}/app/room`);
  await Promise.all(Array.from({ length: 50 }, () => client.call('cheap')));
  await client.callFails('loop');
  await client.call('cheap');
  const series = await metricsOf(own);
  const labels = '{app="app",instance="room"}';
  expect(series.get('stagewire_connections')).toBe(1);
  expect(series.get(`stagewire_instance_clients${labels}`)).toBe(1);
  expect(series.get(`stagewire_instance_deliveries_total${labels}`)).toBeGreaterThan(50);
  expect(series.get(`stagewire_instance_turns_total${labels}`)).toBeGreaterThan(2);
  expect(series.get(`stagewire_instance_cpu_seconds_total${labels}`)).toBeGreaterThan(0.1);
  expect(series.get(`stagewire_instance_mailbox_deliveries${labels}`)).toBe(0);
  expect(series.get('stagewire_script_ends_total{app="app",reason="cpu"}')).toBe(1);
  expect(series.get('stagewire_turn_deliveries_count')).toBeGreaterThan(2);
  expect(series.get('stagewire_core_deaths_total')).toBe(0);
  const cores = [...series.keys()].filter((key) => key.startsWith('stagewire_core_isolates'));
  expect(cores.length).toBeGreaterThan(0);
  const wrong = [...series.keys()].filter((key) => !/^(stagewire|process)_[a-z_]+(\{|$)/.test(key));
  expect(wrong).toEqual([]);
});

test('/metrics is for this machine or the token, as the API is', async () => {
  const foreign = await fetch(`${server.http}/metrics`, { headers: { Origin: 'http://elsewhere.example' } });
  expect(foreign.status).toBe(403);
});

test('a script that dies while a reload waits for it is counted once, and so is its time', async () => {
  // Long enough that the new code waits for the loop to be stopped.
  const own = await startServer({ limits: { handlerMs: 3000 }, apps: { app: { 'main.ts': script } } });
  const client = await connect(`${own.rtmp}/app/room`);
  const failed = client.callFails('loop');
  own.writeFile('app/main.ts', `${script}\nClient.prototype.cheap = () => 2;`);
  await failed;
  await eventually('the new code to answer', async () => (await client.call('cheap')) === 2);
  const { ends, cpuMs } = await detailsOf(own, 'app/room');
  expect(ends).toEqual({ cpu: 1 });
  expect(cpuMs).toBeLessThan(4500);
});

test('a turn that ends for memory is charged the time that it took', async () => {
  const own = await startServer({
    limits: { handlerMs: 10_000, heapMb: 16 },
    apps: { app: { 'main.ts': script } },
  });
  const client = await connect(`${own.rtmp}/app/room`);
  await client.callFails('spinThenHoard');
  await client.call('cheap');
  expect((await detailsOf(own, 'app/room')).cpuMs).toBeGreaterThan(150);
});

const spin = 'let x = 0; for (let i = 0; i < 1.5e9; i++) x = (x + i) | 0;';
const failures = [
  { what: 'loops', code: 'for (;;);', leastMs: 700 },
  { what: 'throws', code: `${spin} throw new Error('no');`, leastMs: 150 },
  {
    what: 'needs too much memory',
    code: `${spin} for (const all = []; ; ) all.push(all.concat(1));`,
    leastMs: 150,
  },
];
for (const { what, code, leastMs } of failures) {
  test(`a top level that ${what} is charged to the instance that tried it`, async () => {
    const own = await startServer({
      limits: { startMs: 1000, heapMb: 16 },
      apps: { app: { 'main.ts': script } },
    });
    const client = await connect(`${own.rtmp}/app/room`);
    await client.call('cheap');
    expect((await detailsOf(own, 'app/room')).cpuMs).toBeLessThan(leastMs);
    own.writeFile('app/main.ts', code);
    await own.waitForLog((r) => r.instance === 'app/room' && r.message.startsWith('goes on with the code'));
    const { cpuMs, handlers } = await detailsOf(own, 'app/room');
    expect(cpuMs).toBeGreaterThan(leastMs);
    expect(handlers[0]!.name).toBe('top level');
    expect(handlers[0]!.cpuMs).toBeGreaterThan(leastMs * 0.9);
    const series = await metricsOf(own);
    const seconds = series.get('stagewire_instance_cpu_seconds_total{app="app",instance="room"}');
    expect(seconds).toBeGreaterThan(leastMs / 1000);
    expect(await client.call('cheap')).toBe(1);
  });
}

test('what a start that fails has done in onAppStart counts too', async () => {
  const own = await startServer({ apps: { app: { 'main.ts': script } } });
  const client = await connect(`${own.rtmp}/app/room`);
  await client.call('cheap');
  own.writeFile('app/main.ts', `application.onAppStart = () => { ${spin} throw new Error('no'); };`);
  await own.waitForLog((r) => r.instance === 'app/room' && r.message.startsWith('goes on with the code'));
  expect((await detailsOf(own, 'app/room')).cpuMs).toBeGreaterThan(150);
});

test('a top level that loops uses up the allowance of its instance', async () => {
  // Of 300 ms in ten seconds it uses more than a second: the next turn waits for half a minute.
  const own = await startServer({
    limits: { startMs: 1500, cpuPercent: 3 },
    apps: { app: { 'main.ts': script } },
  });
  const client = await connect(`${own.rtmp}/app/room`);
  await client.call('cheap');
  own.writeFile('app/main.ts', 'for (;;);');
  await own.waitForLog((r) => r.instance === 'app/room' && r.message.startsWith('goes on with the code'));
  const waits = client.startCall('cheap').catch(() => {}); // the server is gone before its turn comes
  await eventually('the call to wait', async () => (await detailsOf(own, 'app/room')).mailbox.ageMs > 1000);
  await own.destroy();
  await waits;
});

test('the list of instances does not wait for a script that is busy', async () => {
  const client = await connect(`${server.rtmp}/app/busy`);
  await client.call('cheap');
  const busy = client.startCall('loop');
  const startedAt = performance.now();
  const answer = await fetch(`${server.http}/api/instances`);
  expect(answer.status).toBe(200);
  await answer.json();
  await detailsOf(server, 'app/busy');
  expect(performance.now() - startedAt).toBeLessThan(1500); // the loop is stopped after 2 s
  await busy;
});
