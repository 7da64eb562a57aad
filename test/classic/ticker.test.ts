import { expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ classics: ['ticker'] });

test('quotes go to who watches, headlines to all, and the feed runs while anybody is there', async () => {
  const url = `${server.rtmp}/ticker`;
  const ann = await connect(url, { args: ['MACR,RNWK'], methods: { quote: () => true } });
  const bob = await connect(url);
  await ann.waitForCall('quote');
  const [headline, at] = (await bob.waitForCall('headline')).args;
  expect(headline).toMatch(/^Step \d+$/);
  expect(at).toBeInstanceOf(Date);
  expect(bob.callsOf('quote')).toEqual([]);
  expect(new Set(ann.callsOf('quote').map(([symbol]) => symbol))).toEqual(new Set(['MACR', 'RNWK']));
  const macr = ann.callsOf('quote').filter(([symbol]) => symbol === 'MACR');
  expect(macr[0]).toEqual(['MACR', 40.68]);

  expect(await bob.call('watch', 'ADBE', 'RNWK')).toEqual(['ADBE', 'RNWK']);
  await bob.waitForCall('quote');
  type Report = { heard: number; lost: number; last?: string; why?: string; people: number };
  await eventually('answers and failures to be counted', async () => {
    const { heard, lost, last } = (await ann.call('report')) as Report;
    return heard > 0 && lost > 0 && (last === 'MACR' || last === 'RNWK');
  });
  // Bob has no such method.
  expect(await bob.call('report')).toMatchObject({ why: 'NetConnection.Call.Failed', people: 2 });

  await ann.close();
  await bob.close();
  await server.expectTraces('ticker/_definst_', ['feed opens', 'left: 1', 'feed closes', 'left: 0']);
  const cid = await connect(url);
  await cid.waitForCall('headline');
});
