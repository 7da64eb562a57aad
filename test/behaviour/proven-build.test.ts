import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

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
