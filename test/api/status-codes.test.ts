import { expect, test } from 'vitest';
import { encodeAmf0 } from '../../wire/amf0.ts';
import { DEADLINE_MS, eventually } from '../support/journal.ts';
import { connect, RtmpClient, Type } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const server = useServer({
  limits: { rejectLingerMs: 100 },
  apps: {
    rows: { 'main.js': runsCode },
    doubtful: {
      'main.ts': `
        const told: object[] = [];
        application.onStatus = (info) => { told.push(info); };
        application.expose({ told: () => told });
        export const isNothing = (x: number) => x === NaN;`,
    },
  },
});

/** A command of type 17, whose values are said to be in that format. */
function inFormat(format: number, ...values: unknown[]) {
  const payload = Buffer.concat([Buffer.of(format), encodeAmf0(values)]);
  return { type: Type.CommandAmf3, streamId: 0, timestamp: 0, payload };
}

test('ST-16: NetConnection.Call.BadVersion for a command in an unknown encoding', async () => {
  const client = await connect(`${server.rtmp}/rows/encoding`);
  const code = 'NetConnection.Call.BadVersion';
  client.message(inFormat(7, 'run', 700, null, 'return 1'));
  const answer = await client.received.waitFor('the answer', (r) => r.transaction === 700);
  expect(answer).toMatchObject({ name: '_error', args: [{ level: 'error', code }] });
  expect(answer.args[0]).toMatchObject({ description: expect.stringContaining('format 7') });
  client.message(inFormat(7, 'run', 0, null, 'return 1'));
  expect((await client.waitForCall('onStatus')).args).toMatchObject([{ level: 'error', code }]);
  // Some senders call AMF3 by its number; and the connection lives.
  client.message(inFormat(3, 'run', 701, null, 'return 2'));
  const result = await client.received.waitFor('the result', (r) => r.transaction === 701);
  expect(result).toMatchObject({ name: '_result', args: [2] });
});

test('ST-17: NetConnection.Connect.InvalidApp after the refusal, where there is no such application', async () => {
  const client = await RtmpClient.open(`${server.rtmp}/nowhere/room`);
  expect(await client.startConnect()).toMatchObject({
    name: '_error',
    args: [{ code: 'NetConnection.Connect.Rejected' }],
  });
  await client.closed;
  const description = expect.stringContaining('Application (nowhere) is not defined.');
  const legacy = { level: 'error', code: 'NetConnection.Connect.InvalidApp', description };
  expect(client.callsOf('onStatus')).toMatchObject([[legacy]]);
  const names = client.received.entries.map(({ name }) => name).filter((name) => name);
  expect(names).toEqual(['_error', 'onStatus', 'close']);
});

test('ST-55: NetConnection.Connect.ReconnectRequest for clients that connect again when asked', async () => {
  const able = await connect(`${server.rtmp}/rows/again`, { properties: { capsEx: 1 | 8 } });
  expect(able.properties.capsEx).toBe(1 | 2 | 4);
  expect(await run(able, 'return client.requestReconnect()')).toBe(true);
  expect(await run(able, 'return client.requestReconnect("//other.example/rows")')).toBe(true);
  const request = { level: 'status', code: 'NetConnection.Connect.ReconnectRequest' };
  await eventually('two requests', () => able.callsOf('onStatus').length === 2);
  expect(able.callsOf('onStatus')).toMatchObject([
    [request],
    [{ ...request, tcUrl: '//other.example/rows' }],
  ]);
  expect(able.callsOf('onStatus')[0]![0]).not.toHaveProperty('tcUrl');
  expect(await run(able, 'return 3')).toBe(3); // it is served until it leaves

  for (const properties of [{}, { capsEx: 0 }, { capsEx: 2 | 4 }, { capsEx: '1' }]) {
    const other = await connect(`${server.rtmp}/rows/again`, { properties });
    expect(await run(other, 'return client.requestReconnect()')).toBe(false);
    await other.settled();
    expect(other.callsOf('onStatus')).toEqual([]);
  }
  const plain = await connect(`${server.rtmp}/rows/again`);
  expect(plain.properties).not.toHaveProperty('capsEx');
  const long = await able.callFails('run', 'client.requestReconnect("x".repeat(5000))');
  expect(long.description).toContain('client.requestReconnect: at most 2048 characters, and these are 5000');
});

test('ST-69: Application.Script.Warning for what the build finds suspicious', async () => {
  const client = await connect(`${server.rtmp}/doubtful/room`);
  await expect.poll(() => client.call('told'), { timeout: DEADLINE_MS }).toHaveLength(1);
  expect(await client.call('told')).toMatchObject([
    {
      level: 'warning',
      code: 'Application.Script.Warning',
      description: expect.stringContaining('NaN'),
      filename: 'main.ts',
      lineno: 5,
      linebuf: expect.stringContaining('x === NaN'),
    },
  ]);
});
