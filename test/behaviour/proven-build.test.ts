import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { startServer, useServer } from '../support/server.ts';

const good = 'Client.prototype.version = () => "good";';
const failures = {
  'throws at top level': `${good} throw new Error('at the top');`,
  'throws in onAppStart': `${good} application.onAppStart = () => { throw new Error('at start'); };`,
  'rejects in onAppStart': `${good} application.onAppStart = async () => { throw new Error('at start'); };`,
};

const server = useServer({ apps: { never: { 'main.ts': "throw new Error('from the first');" } } });

for (const [what, broken] of Object.entries(failures)) {
  test(`code that ${what} takes over neither running instances nor new ones`, async () => {
    const app = what.replaceAll(' ', '-');
    const from = server.log.mark;
    server.writeApp(app, { 'main.ts': good });
    const first = await connectWhenThere(`${server.rtmp}/${app}/first`);
    expect(await first.call('version')).toBe('good');

    server.writeApp(app, { 'main.ts': broken });
    await server.waitForLog(
      (r) => r.instance === `${app}/first` && r.message.includes('goes on with the code it has'),
      from,
    );
    expect(await first.call('version')).toBe('good');

    const second = await connect(`${server.rtmp}/${app}/second`);
    expect(await second.call('version')).toBe('good');
    await server.waitForLog(
      (r) => r.instance === `${app}/second` && /starts with build \w+ instead/.test(r.message),
      from,
    );

    server.writeApp(app, { 'main.ts': good.replace('good', 'repaired') });
    for (const instance of ['first', 'second']) {
      await server.waitForLog(
        (r) => r.instance === `${app}/${instance}` && r.message.startsWith('runs new code'),
        from,
      );
    }
    expect([await first.call('version'), await second.call('version')]).toEqual(['repaired', 'repaired']);
  });
}

test('an application that has never started refuses with a reason', async () => {
  const info = await connectRefused(`${server.rtmp}/never`);
  expect(info).toMatchObject({
    code: 'NetConnection.Connect.Rejected',
    description: 'The application failed to start.',
  });
});

const hanging = 'for (;;);';

test('who waits for the first trial of a build gets newer code as soon as that is there', async () => {
  const own = await startServer({ apps: { app: { 'main.ts': good } }, limits: { startMs: 600_000 } });
  const first = await connect(`${own.rtmp}/app/first`);
  own.writeFile('app/main.ts', hanging);
  await own.waitForLog((r) => r.instance === 'app' && r.message === 'built');
  const second = connect(`${own.rtmp}/app/second`);
  const from = own.log.mark;
  own.writeFile('app/main.ts', good.replace('good', 'repaired'));
  await own.waitForLog((r) => r.instance === 'app' && r.message === 'built', from);
  // What hangs may have been taken back first, if the server found the files changing all the time.
  for (const client of [await second, await connect(`${own.rtmp}/app/third`)])
    await eventually('the newer code', async () => (await client.call('version')) === 'repaired');
  expect(await first.call('version')).toBe('good'); // its trial goes on
});

test('whose own trial fails gets newer code that came meanwhile, and is not refused', async () => {
  const own = await startServer({ apps: { app: { 'main.ts': hanging } }, limits: { startMs: 3000 } });
  const isThere = async (name: string) =>
    JSON.stringify(await (await fetch(`${own.http}/api/instances`)).json()).includes(`"${name}"`);
  const only = connect(`${own.rtmp}/app/only`);
  await eventually('the trial', () => isThere('only'));
  const other = connect(`${own.rtmp}/app/other`);
  await eventually('another to wait for it', () => isThere('other'));
  own.writeFile('app/main.ts', good);
  expect(await (await other).call('version')).toBe('good');
  expect(own.log.entries.filter((r) => r.code === 'E_SCRIPT')).toEqual([]);
  expect(await (await only).call('version')).toBe('good');
  expect(own.log.entries.filter((r) => r.code === 'E_SCRIPT')).toHaveLength(1);
});

test('who takes a change back while it starts keeps what was there before', async () => {
  const own = await startServer({ apps: { app: { 'main.ts': good } } });
  const client = await connect(`${own.rtmp}/app`);
  const slow = `${good.replace('good', 'changed')}
    application.onAppStart = () => new Promise((done) => setTimeout(() => { trace('started'); done(); }, 1500));`;
  own.writeFile('app/main.ts', slow);
  await own.waitForLog((r) => r.instance === 'app' && r.message === 'built');
  own.writeFile('app/main.ts', good);
  await own.waitForLog((r) => r.instance === 'app/_definst_' && r.message === 'started');
  expect(await client.call('version')).toBe('good');
  own.writeFile('app/main.ts', good.replace('good', 'newest'));
  await eventually('the newest code', async () => (await client.call('version')) === 'newest');
  await own.waitForLog((r) => r.message.startsWith('runs new code'));
  const runs = own.log.entries.filter((r) => r.message.startsWith('runs new code'));
  expect(runs).toHaveLength(1);
});

/** The server notices a new folder a moment after it was written. */
async function connectWhenThere(url: string) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect(url);
    } catch (error) {
      if (attempt > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
