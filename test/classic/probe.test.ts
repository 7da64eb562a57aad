import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ classics: ['probe'], limits: { rejectLingerMs: 50 } });
const rejected = { level: 'error', code: 'NetConnection.Connect.Rejected' };

test('every kind of probe gets the answer that it can read', async () => {
  const url = `${server.rtmp}/probe`;
  const port = server.rtmpPort;
  expect(await connectRefused(url)).toEqual({ ...rejected, description: 'Connection failed.' });
  expect(await connectRefused(url, { args: [null] })).toMatchObject(rejected);
  expect((await connectRefused(url, { args: ['refuse', 7] })).application).toEqual({
    port,
    ip: '127.0.0.1',
    token: 7,
  });
  expect(await connectRefused(url, { args: ['text', 't'] })).toMatchObject({
    ...rejected,
    description: 'Probe refused',
    application: ['t', 4],
  });
  expect(await connectRefused(url, { args: ['redirect'] })).toMatchObject({
    ...rejected,
    ex: { code: 302, redirect: 'rtmp://other.example.com/probe' },
  });

  const late = await connect(url, { args: ['later'] });
  expect((await late.waitForCall('verdict')).args).toEqual(['accepted late']);

  const properties = { swfUrl: 'http://example.com/probe.swf', pageUrl: 'http://example.com/' };
  const brief = await connect(url, { args: ['hangup'], properties });
  await brief.closed;
  expect(brief.callsOf('probeResult')).toEqual([
    [
      {
        port,
        ip: '127.0.0.1',
        protocol: 'rtmp',
        agent: 'LNX 9,0,124,2',
        referrer: 'http://example.com/probe.swf',
        pageUrl: 'http://example.com/',
      },
    ],
  ]);

  const last = await connect(url, { args: ['stay'] });
  expect(await last.call('count')).toBe(8);
  const log = (await last.call('getLog')) as string[];
  expect(log.filter((entry) => entry.startsWith('rtmp 127.0.0.1 '))).toHaveLength(8);
  await eventually('the goodbye', async () =>
    ((await last.call('getLog')) as string[]).includes('bye 127.0.0.1'),
  );
});
