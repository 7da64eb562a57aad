import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ classics: ['auction'] });

test('bids are judged, the hammer falls, and the purse pays', async () => {
  const url = `${server.rtmp}/auction`;
  await connectRefused(url, { args: ['poor', 'nothing'] });
  const ann = await connect(url, {
    args: ['ann', 300],
    methods: { won: (title) => `thanks for the ${title}` },
  });
  const bob = await connect(url, { args: ['bob', '120.4'] });
  for (const [amount, why] of [
    ['x', 'no number'],
    [10, 'too low'],
    [500, 'too poor'],
  ] as const) {
    expect(await ann.call('bid', amount)).toBe(why);
  }
  expect(await bob.call('bid', '50 dollars')).toBe(true);
  expect(await ann.call('bid', 110)).toBe(true);
  expect(await bob.call('bid', 120)).toBe(true);
  expect(await ann.call('bid', 130)).toBe(true);
  expect((await bob.waitForCall('bid')).args).toEqual(['bob', 50]);
  expect(await bob.call('hammer')).toEqual({
    title: 'Vase',
    sold: true,
    to: 'ann',
    history: ['bob:50', 'ann:110', 'bob:120', 'ann:130'],
  });
  expect(bob.callsOf('bid')).toEqual([
    ['bob', 50],
    ['ann', 110],
    ['bob', 120],
    ['ann', 130],
  ]);
  expect((await ann.waitForCall('won')).args).toEqual(['Vase', 130]);
  expect((await bob.waitForCall('item')).args).toEqual(['Clock', 10]);
  expect(await ann.call('purseOf')).toBe(170);
  while ((await ann.call('words')) === null) await ann.settled();
  expect(await ann.call('words')).toBe('thanks for the Vase');

  expect(await ann.call('bid', 20)).toBe(true);
  await ann.close();
  // The best bidder is gone: the price begins anew.
  while ((await bob.call('bid', 11)) !== true) await bob.settled();
  expect(await bob.call('hammer')).toMatchObject({ title: 'Clock', sold: false, to: undefined });
  expect(await bob.call('bid', 12)).toBe('nothing to sell');
  expect(await bob.call('hammer')).toBeNull();
});
