import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { startServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

/** A script that has the object of another instance, and connects again as often as it takes. */
const sharing = (uri: string, isPersistent = false) => `
  ${runsCode}
  let so;
  const heard = [];
  const statuses = [];
  const link = () => {
    const nc = new NetConnection();
    nc.onStatus = ({ code, description }) => {
      trace(code, description);
      if (code !== 'NetConnection.Connect.Success') setTimeout(link, 20);
    };
    nc.connect('${uri}');
    so = SharedObject.get('board', ${isPersistent}, nc);
    so.onSync = (list) => void heard.push(...list.map(({ code, name, oldValue }) => [code, name, oldValue]));
    so.onStatus = ({ code, description }) => void statuses.push([code, description]);
    so.say = (...args) => void heard.push(['say', ...args]);
    Object.assign(application, { so, heard, statuses, nc });
  };
  application.onAppStart = link;
`;

test('smoke', async () => {
  const owner = await startServer({ apps: { room: { 'README.md': '' } } });
  const proxy = await startServer({
    apps: {
      room: {
        'main.js': sharing(`${owner.rtmp}/room/a`),
        'app.json': JSON.stringify({ connect: { hosts: [new URL(owner.rtmp).host] } }),
      },
    },
  });
  const there = await new RemoteSharedObject(await connect(`${owner.rtmp}/room/a`), 'board').connect();
  await there.setAndWait('x', 1);
  const here = await new RemoteSharedObject(await connect(`${proxy.rtmp}/room/b`), 'board').connect();
  await here.holds({ x: 1 });
  expect(await here.setAndWait('y', 2)).toEqual({ code: 'success', name: 'y' });
  await there.holds({ x: 1, y: 2 });
  there.set('x', null);
  await here.holds({ y: 2 });
  expect(await run(here.client, 'return application.heard')).toEqual([]);
});
