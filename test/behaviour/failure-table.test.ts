import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

/** What can go wrong with new code, at every step at which it can: the old goes on, and no client is lost. */
const limits = { handlerMs: 300, startMs: 1000, heapMb: 24 };
const server = useServer({
  limits: { ...limits, cores: 100, quarantineMs: 1000, backOffMs: 50, deaths: 50, stuckGraceMs: 300 },
});

const loop = 'for (;;);';
const memory = 'const all = []; for (;;) all.push({ all: {} });';
const buffers = `const all = []; for (;;) all.push(new Uint8Array(1e6).fill(1));`;
/** Neither time limit nor the end of the isolate interrupts that. */
const stuck = 'let x = 3n ** 100_000n; for (;;) x *= x;';
const what = { throw: `throw new Error('trouble');`, loop, memory, buffers, stuck } as const;
const steps = {
  'at top level': (code: string) => `if (application.name) { ${code} }`,
  'in onAppStart': (code: string) => `application.onAppStart = () => { ${code} };`,
  'after an await in onAppStart': (code: string) =>
    `application.onAppStart = async () => { await null; ${code} };`,
  'in a timer of onAppStart': (code: string) =>
    `application.onAppStart = () => new Promise(() => { setTimeout(() => { ${code} }, 1); });`,
  'in onRestore': (code: string) => `application.onRestore = () => { ${code} };`,
  'in onSave of the old': (code: string) => `application.onSave = () => { ${code} };`,
} as const;

const code = (version: string, own: string) => `
  application.onConnect = () => true;
  Client.prototype.add = () => { application.count = (application.count ?? 0) + 1; return ['${version}', application.count]; };
  ${own}`;

let apps = 0;
async function open(main: string): Promise<{ app: string; clients: RtmpClient[] }> {
  const app = `failure${apps++}`;
  const from = server.log.mark;
  server.writeApp(app, { 'main.ts': main, 'app.json': JSON.stringify({ limits }) });
  await server.waitForLog((r) => r.instance === app && r.message.startsWith('new application'), from);
  const clients = [];
  for (let i = 0; i < 3; i++) clients.push(await connect(`${server.rtmp}/${app}/room`));
  return { app, clients };
}

/** Until it is told to stop: each call is answered, or failed with the script that had it. */
function callAgain(client: RtmpClient) {
  const answers: [string, number][] = [];
  let isOver = false;
  const loop = (async () => {
    while (!isOver) {
      const answer = await client.call('add').catch(() => undefined);
      if (answer) answers.push(answer as [string, number]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return answers;
  })();
  return () => {
    isOver = true;
    return loop;
  };
}

for (const [step, at] of Object.entries(steps)) {
  for (const [failure, own] of Object.entries(what)) {
    const isOld = step.endsWith('old');
    /** The old isolate dies of these. */
    const dies = isOld && failure !== 'throw';
    test(`${failure} ${step}: the old code goes on${dies ? ', after recovery' : ''}`, async () => {
      const { app, clients } = await open(code('old', isOld ? at(own) : ''));
      expect(await clients[0]!.call('add')).toEqual(['old', 1]);
      const stops = clients.map(callAgain);
      const from = server.log.mark;
      server.writeFile(`${app}/main.ts`, code('new', isOld ? '' : at(own)));
      await server.waitForLog(
        (r) => r.instance === `${app}/room` && r.message === 'goes on with the code it has',
        from,
      );
      if (dies)
        await eventually('it to answer', async () => (await clients[0]!.call('add').catch(() => 0)) !== 0);
      const answers = await Promise.all(stops.map((stop) => stop()));
      expect([...new Set(answers.flat().map(([version]) => version))]).toEqual(['old']);
      const before = answers.flat().reduce((most, [, count]) => Math.max(most, count), 0);
      const [, count] = (await clients[1]!.call('add')) as [string, number];
      if (!dies) expect(count).toBe(before + 1);
      for (const client of clients) expect(client.callsOf('close')).toEqual([]);
      for (const client of clients) expect(client.isClosed).toBe(false);
      const stop = callAgain(clients[0]!);
      if (!isOld) {
        server.writeFile(`${app}/main.ts`, code('mended', ''));
        await eventually('the mended code to answer', async () => {
          const [version] = (await clients[2]!.call('add')) as [string, number];
          return version === 'mended';
        });
      }
      const last = (await stop()).map(([, each]) => each);
      expect(last).toEqual([...last].sort((a, b) => a - b));
    }, 60_000);
  }
}

/** Code that says that it has come here, and stays until it may go on. */
const stay = `trace('here'); SharedObject.get('fence', true).isDirty; while (!new File('/goOn').exists);`;
const kills: { step: keyof typeof steps; kill: ('old' | 'new')[] }[] = [
  { step: 'at top level', kill: ['old'] },
  { step: 'at top level', kill: ['old', 'new'] },
  { step: 'in onAppStart', kill: ['old', 'new'] },
  { step: 'in onRestore', kill: ['old'] },
  { step: 'in onRestore', kill: ['old', 'new'] },
  { step: 'in onSave of the old', kill: ['new'] },
  { step: 'in onSave of the old', kill: ['old', 'new'] },
];
for (const { step, kill } of kills) {
  test(`killed ${step}: the core of the ${kill.join(' and that of the ')}; no client is lost`, async () => {
    const isOld = step.endsWith('old');
    const own = (is: boolean) => (is ? steps[step](stay) : '');
    const app = `failure${apps++}`;
    const settings = JSON.stringify({ limits: { handlerMs: 20_000, startMs: 20_000 } });
    const start = server.log.mark;
    server.writeApp(app, { 'main.ts': code('old', own(isOld)), 'app.json': settings });
    await server.waitForLog((r) => r.instance === app && r.message.startsWith('new application'), start);
    const clients = [
      await connect(`${server.rtmp}/${app}/room`),
      await connect(`${server.rtmp}/${app}/room`),
    ];
    expect(await clients[0]!.call('add')).toEqual(['old', 1]);
    const { core } = await server.instance(app, 'room');
    const from = server.log.mark;
    server.writeFile(`${app}/main.ts`, code('new', own(!isOld)));
    await server.waitForLog((r) => r.instance === `${app}/room` && r.message === 'here', from);
    // Spare ones and those of applications before are of no use to anybody here.
    for (const pid of server.corePids())
      if (kill.includes(pid === core ? 'old' : 'new')) process.kill(pid, 'SIGKILL');
    server.writeFile(`${app}/goOn`, '');
    await eventually('somebody to answer', async () => {
      const answers = await Promise.all(clients.map((client) => client.call('add').catch(() => undefined)));
      return answers.every((answer) => answer !== undefined);
    });
    for (const client of clients) expect(client.callsOf('close')).toEqual([]);
    server.writeFile(`${app}/main.ts`, code('mended', ''));
    await eventually('the mended code to answer', async () => {
      const answer = (await clients[1]!.call('add').catch(() => [])) as unknown[];
      return answer[0] === 'mended';
    });
  });
}
