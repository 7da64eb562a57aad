import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ classics: ['registry'] });

test('globals that nobody declared hold the registry together, over files in old encodings', async () => {
  const url = `${server.rtmp}/registry`;
  const ann = await connect(url, { args: ['ann'] });
  const bob = await connect(url, { args: ['b\u00f6b'] });
  expect(await connectRefused(url, { args: ['ann'] })).toMatchObject({ description: 'Connection failed.' });
  // Both names come from a file in Windows-1252.
  for (const name of ['caf\u00e9', '\u20acuro', 'admin']) {
    const { application } = await connectRefused(url, { args: [name] });
    expect(application).toEqual({ reason: `reserved: ${name}` });
  }
  expect(await bob.call('globals')).toEqual([
    'admin',
    2,
    2,
    'b\u00f6b',
    'object',
    'string',
    'Welcome',
    2,
    'undefined',
  ]);
  expect(await ann.call('whisper', 'b\u00f6b', 'psst')).toBe('told b\u00f6b');
  expect((await bob.waitForCall('whispered')).args).toEqual(['ann', 'psst']);
  expect(await ann.call('whisper', 'cid', 'psst')).toBe('no cid');
  expect(await ann.call('anything', 1)).toBe('anything(1) of ann');
  expect(await ann.callFails('_hidden')).toMatchObject({ code: 'NetConnection.Call.Failed' });
  expect(await ann.call('reset')).toEqual(['string', 'undefined', true]);

  await ann.callFails('fails');
  const line = 'Client.prototype.fails = function () { return undefinedFunction(this.key); };';
  expect((await bob.waitForCall('scriptError')).args).toEqual(['main.asc', 52, line]);

  await ann.close();
  await eventually('ann to be gone', async () => ((await bob.call('globals')) as unknown[])[1] === 1);
  const again = await connect(url, { args: ['ann'] });
  expect(((await again.call('globals')) as unknown[]).slice(0, 3)).toEqual(['ann', 2, 2]);
});
