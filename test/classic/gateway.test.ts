import { afterAll, expect, test } from 'vitest';
import { TypedObject } from '../../wire/values.ts';
import { openGateway } from '../support/gateway.ts';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';

const points: Record<string, number> = { ann: 3, bob: 1 };

/** The database of the league. */
const gateway = await openGateway({
  headers: ({ headers }) => (headers.length > 0 ? [['AppendToGatewayUrl', '?session=1']] : []),
  services: {
    'league.Members.getTable': () =>
      new TypedObject('RecordSet', {
        serverInfo: {
          columnNames: ['NAME', 'POINTS'],
          initialData: Object.entries(points),
          totalCount: Object.keys(points).length,
        },
      }),
    'league.Members.login': (ticket, name, password) => ({
      ticket,
      name,
      ok: password === `${name}'s`,
      since: new Date(2001, 5, 1),
      tags: ['a', 'b'],
    }),
    'league.Points.add': (member, more) => {
      if (typeof more !== 'number') throw { code: 'SERVER.PROCESSING', description: 'no number' };
      points[member as string] = (points[member as string] ?? 0) + more;
      return points[member as string];
    },
  },
});
afterAll(() => gateway.close());

test('a league whose members and points are behind a gateway', async () => {
  const league = {
    'app.json': JSON.stringify({ fetch: { hosts: [new URL(gateway.url).host] } }),
    'gateway.asc': `gGatewayUrl = "${gateway.url}";\n`,
  };
  const server = await startServer({ apps: { league }, classics: ['league'] });
  const url = `${server.rtmp}/league/first`;
  expect(await connectRefused(url, { args: ['eve', 'x'] })).toMatchObject({
    application: { message: 'Who are you, eve?' },
  });
  const ann = await connect(url, { args: ['ann', "ann's"] });
  await eventually('the table', async () => (await ann.call('getTable')) !== null);
  expect(await ann.call('getTable')).toEqual(['ann: 3', 'bob: 1']);
  expect(await ann.call('whoAmI')).toBe('ann, member since 2001, 2 tags');

  const tables = ann.callsOf('newTable').length;
  await ann.call('addPoints', 'bob', 5);
  expect((await ann.waitForCall('pointsAre')).args).toEqual([6]);
  await eventually('another table', () => ann.callsOf('newTable').length > tables);
  expect(ann.callsOf('newTable').at(-1)).toEqual([['ann: 3', 'bob: 6']]);
  await ann.call('addPoints', 'bob', 'many');
  expect((await ann.waitForCall('serviceError')).args).toEqual(['SERVER.PROCESSING', 'no number']);

  // Two calls of one handler are one packet, with who calls, and where the gateway wants them.
  const packet = gateway.packets.find(({ calls }) => calls[0]?.method === 'league.Points.add')!;
  expect(packet.calls.map(({ method, args }) => [method, args])).toEqual([
    ['league.Points.add', ['bob', 5]],
    ['league.Journal.write', ['add', 'bob']],
  ]);
  const credentials = { name: 'Credentials', mustUnderstand: false };
  expect(packet.headers).toMatchObject([{ ...credentials, value: { userid: 'league', password: 'goal' } }]);
  expect(gateway.packets.map((each) => each.url).slice(0, 2)).toEqual(['/gateway', '/gateway?session=1']);
  await server.waitForLog(({ message }) => message === 'journal: SERVER.RESOURCE_UNAVAILABLE');
  await server.waitForLog(({ message }) => message === 'table of NAME, POINTS');

  // Without the gateway nobody comes in, and the script hears why.
  gateway.close();
  const late = connect(url, { args: ['bob', "bob's"] });
  late.catch(() => {});
  await server.waitForLog(({ message }) => message === 'gateway: NetConnection.Call.Failed');
  await server.waitForLog(({ message }) => /^error: .*ECONNREFUSED/.test(message));
});
