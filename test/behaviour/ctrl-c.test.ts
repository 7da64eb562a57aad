import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';

test('Ctrl-C, which a terminal sends to every process of the group, lets the scripts finish', async () => {
  const server = await startServer({
    apps: {
      app: {
        'main.ts': `
          application.onAppStop = (info) => trace('stopping with ' + info.code);
          application.onDisconnect = (client) => trace('bye');`,
      },
    },
  });
  await connect(`${server.rtmp}/app`);
  process.kill(-server.pid, 'SIGINT');
  expect(await server.exited).toEqual({ code: 0, signal: null });
  const messages = server.log.entries.map(({ message }) => message);
  expect(messages).toEqual(expect.arrayContaining(['stopping with Application.Shutdown', 'bye']));
  expect(messages.filter((message) => message?.includes('ended'))).toEqual([]);
});
