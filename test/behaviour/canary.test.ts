import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const CANARY_MS = 1500;
const server = useServer({ limits: { canaryMs: CANARY_MS, handlerMs: 300 } });

const main = (n: number, own = '') => `
  application.onConnect = () => true;
  application.onRestore = () => { application.seen = (application.seen ?? 0) + 1; };
  Client.prototype.look = () => [${n}, application.seen ?? 0];
  Client.prototype.fail = () => { ${own} };`;

async function open(app: string) {
  const from = server.log.mark;
  server.writeApp(app, { 'main.ts': main(1) });
  await server.waitForLog((r) => r.instance === app && r.message.startsWith('new application'), from);
  const busy = await Promise.all([1, 2].map(() => connect(`${server.rtmp}/${app}/busy`)));
  return { busy: busy[0]!, quiet: await connect(`${server.rtmp}/${app}/quiet`) };
}

const runsNew = (instance: string, from: number) =>
  server.waitForLog((r) => r.instance === instance && r.message.startsWith('runs new code'), from);

test('the instance with most clients runs new code first, the others when it does well', async () => {
  const { busy, quiet } = await open('good');
  const from = server.log.mark;
  server.writeFile('good/main.ts', main(2));
  await runsNew('good/busy', from);
  const at = performance.now();
  expect(await busy.call('look')).toEqual([2, 1]);
  expect(await quiet.call('look')).toEqual([1, 0]);
  await runsNew('good/quiet', from);
  expect(performance.now() - at).toBeGreaterThan(CANARY_MS / 2);
  expect(await quiet.call('look')).toEqual([2, 1]);
});

const faults = [
  { name: 'a handler throws', own: `throw new Error('unlucky');`, says: 'fail: unlucky' },
  { name: 'nobody handles a rejection', own: `void Promise.reject(new Error('lonely'));`, says: 'lonely' },
  { name: 'a handler does not end', own: 'for (;;);', says: 'a handler ran too long' },
];
for (const { name, own, says } of faults) {
  test(`${name}: all keep the code before, and the state`, async () => {
    const app = `bad${faults.findIndex((fault) => fault.name === name)}`;
    const { busy, quiet } = await open(app);
    const from = server.log.mark;
    server.writeFile(`${app}/main.ts`, main(2, own));
    await runsNew(`${app}/busy`, from);
    await busy.call('fail').catch(() => undefined);
    const record = await server.waitForLog((r) => r.code === 'E_CANARY' && r.instance === app, from);
    expect(record.message).toContain(`${app}/busy has tried the new code first, and it failed there (`);
    expect(record.message).toContain(says);
    await eventually('the code before', async () => {
      const answer = await busy.call('look').catch(() => undefined);
      return (answer as unknown[] | undefined)?.[0] === 1;
    });
    expect(await quiet.call('look')).toEqual([1, 0]);
    expect(busy.callsOf('close')).toEqual([]);

    // Newer code has its own chance, and later instances begin with what holds.
    expect(await (await connect(`${server.rtmp}/${app}/later`)).call('look')).toEqual([1, 0]);
    const mended = server.log.mark;
    server.writeFile(`${app}/main.ts`, main(3));
    await runsNew(`${app}/quiet`, mended);
    expect(await busy.call('look')).toEqual([3, expect.any(Number)]);
  });
}

test('a file that is saved meanwhile takes the place of the code that is tried', async () => {
  const { busy, quiet } = await open('hasty');
  const from = server.log.mark;
  server.writeFile('hasty/main.ts', main(2));
  await runsNew('hasty/busy', from);
  server.writeFile('hasty/main.ts', main(3));
  await runsNew('hasty/quiet', from);
  expect(await quiet.call('look')).toEqual([3, 1]);
  expect(await busy.call('look')).toEqual([3, 2]);
});

const UNABLE = [
  {
    app: 'unreadable',
    old: `application.onRestore = () => { throw new Error('too new for me'); };`,
    now: '',
  },
  { app: 'unsaid', old: '', now: `application.onSave = () => { throw new Error('not for the old'); };` },
];
for (const { app, old, now } of UNABLE) {
  test(`${app}: older code that cannot take over the state starts without it when it is asked for`, async () => {
    const code = (n: number, own: string) => `
      application.onConnect = (client, name) => { client.name = name; client.calls = 0; return true; };
      Client.prototype.count = function () { return [${n}, this.name, ++this.calls, this.reconnected]; };
      ${own}`;
    const from = server.log.mark;
    server.writeApp(app, { 'main.ts': code(1, old) });
    await server.waitForLog((r) => r.instance === app && r.message.startsWith('new application'), from);
    const client = await connect(`${server.rtmp}/${app}/room`, { args: ['ann'] });
    expect(await client.call('count')).toEqual([1, 'ann', 1, false]);
    server.writeFile(`${app}/main.ts`, code(2, now));
    await runsNew(`${app}/room`, from);
    expect(await client.call('count')).toEqual([2, 'ann', 2, false]);
    const back = server.log.mark;
    const answer = await fetch(`${server.http}/api/apps/${app}/rollback`, { method: 'POST' });
    expect(answer.status).toBe(200);
    await runsNew(`${app}/room`, back);
    expect(await client.call('count')).toEqual([1, 'ann', 1, 'reload']);
    const told = server.log.entries.slice(back).map((r) => r.message);
    expect(told).toContain('starts without the state, which it cannot take over');
  });
}

test('new code that does not come to run in the first instance is not tried in the others', async () => {
  const { busy, quiet } = await open('stillborn');
  const from = server.log.mark;
  server.writeFile('stillborn/main.ts', `throw new Error('not today');`);
  const record = await server.waitForLog((r) => r.code === 'E_CANARY' && r.instance === 'stillborn', from);
  expect(record.message).toContain(
    'stillborn/busy has tried the new code first, and it failed there (it did not start)',
  );
  expect(await busy.call('look')).toEqual([1, 0]);
  expect(await quiet.call('look')).toEqual([1, 0]);
  const tried = server.log.entries.slice(from).filter((r) => r.message.includes('not today'));
  expect(tried.map((r) => r.instance)).toEqual(['stillborn/busy']);
  const mended = server.log.mark;
  server.writeFile('stillborn/main.ts', main(3));
  await runsNew('stillborn/quiet', mended);
});
