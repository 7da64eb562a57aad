import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { pendingConnectMs: 300 },
  apps: {
    misspelled: {
      'main.ts': `
        application.authorizePubish = () => false;
        application.onAppStart = () => { application.onConect = () => true; };`,
    },
    helpers: {
      'main.ts': `
        Object.assign(application, {
          onConnect: () => true,
          onConnected() {}, onMessage() {}, onClose() {}, onMove() {}, authorizeUser() {}, tick() {},
          onConnecting: 1,
        });`,
    },
    undecided: { 'main.ts': 'application.onConnect = (client, name) => { trace(name); };' },
    waiting: { 'main.ts': 'application.onConnect = () => new Promise(() => {});' },
  },
});

const warnings = (app: string) =>
  server.log.entries.filter((r) => r.level === 'warn' && r.instance?.startsWith(`${app}/`));

test('a handler whose name is misspelled is a warning, once for a build', async () => {
  await connect(`${server.rtmp}/misspelled/one`);
  await server.waitForLog('application.onConect is no handler of the server: did you mean onConnect?');
  await connect(`${server.rtmp}/misspelled/two`);
  const texts = warnings('misspelled').map(({ message }) => message);
  expect(texts).toEqual([
    'application.authorizePubish is no handler of the server: did you mean authorizePublish?',
    'application.onConect is no handler of the server: did you mean onConnect?',
  ]);
});

test('functions of its own are none', async () => {
  await connect(`${server.rtmp}/helpers/room`);
  expect(warnings('helpers')).toEqual([]);
});

for (const app of ['undecided', 'waiting']) {
  test(`an onConnect that decides nothing is a warning, once for a build: ${app}`, async () => {
    await connectRefused(`${server.rtmp}/${app}/room`, { args: ['ada'] });
    const { message } = await server.waitForLog((r) => r.level === 'warn' && r.instance === `${app}/room`);
    expect(message).toContain('application.onConnect had not decided about it after 300 ms');
    expect(message).toContain('Return true, false or a promise of one');
    await connectRefused(`${server.rtmp}/${app}/room`, { args: ['bob'] });
    expect(warnings(app)).toHaveLength(1);
  });
}
