import { expect, test } from 'vitest';
import { eventually } from '../../test/support/journal.ts';
import { connect, connectRefused, type RtmpClient } from '../../test/support/rtmp-client.ts';
import { useServer } from '../../test/support/server.ts';
import { RemoteSharedObject } from '../../test/support/shared-object.ts';

const server = useServer({ samples: ['whiteboard'] });

const PAINTERS = 20;
const STROKES = 10;

interface Painter {
  name: string;
  client: RtmpClient;
  board: RemoteSharedObject;
  people: RemoteSharedObject;
}

async function painter(room: string, name: string, encoding: 0 | 3 = 0): Promise<Painter> {
  const url = `${server.rtmp}/whiteboard/${room}`;
  const client = await connect(url, { args: [name], objectEncoding: encoding });
  const board = await new RemoteSharedObject(client, 'board', { encoding, isPersistent: true }).connect();
  const people = await new RemoteSharedObject(client, 'people', { encoding }).connect();
  return { name, client, board, people };
}

const stroke = (by: string, at: number) => ({
  by,
  colour: '#d33',
  points: [
    { x: at, y: 1.5 },
    { x: at + 2, y: 3.5 },
  ],
});

test('twenty people draw at once, and all of them see the same drawing', async () => {
  const all = await Promise.all(
    Array.from({ length: PAINTERS }, (_, i) => painter('studio', `p${i}`, i % 2 === 0 ? 0 : 3)),
  );
  await eventually('everybody to be there', () => all.every(({ people }) => people.data.size === PAINTERS));
  for (let i = 0; i < STROKES; i++)
    for (const { name, board } of all) {
      board.change({ set: { [`${name}-${i}`]: stroke(name, i) } }, { send: ['pointer', name, i, i] });
    }
  for (const { board } of all)
    await eventually('the whole drawing', () => board.data.size === PAINTERS * STROKES);
  for (const { name, board } of all) {
    expect(board.data.get('p7-3')).toEqual(stroke('p7', 3));
    const pointers = board.syncs.entries.flatMap(({ sends }) => sends);
    expect(pointers).toHaveLength(PAINTERS * STROKES);
    expect(pointers.filter(([, who]) => who === name).map(([, , x]) => x)).toEqual([
      ...Array(STROKES).keys(),
    ]);
  }

  // The drawing is the server's: saving the script does not touch it.
  server.writeFile('whiteboard/main.ts', `${server.readFile('whiteboard/main.ts')}\ntrace('saved');`);
  await server.waitForLog((r) => r.instance === 'whiteboard/studio' && r.message.startsWith('runs new code'));
  const late = await painter('studio', 'late');
  expect(late.board.data.size).toBe(PAINTERS * STROKES);

  expect(await all[4]!.client.call('undo')).toBe(`p4-${STROKES - 1}`);
  await eventually('it to be gone', () => all.every(({ board }) => !board.data.has(`p4-${STROKES - 1}`)));
  for (const { client } of all.slice(1)) await client.close();
  await eventually('two to be left', () => late.people.data.size === 2);
  await fetch(`${server.http}/api/instances/whiteboard/studio`, { method: 'DELETE' });
  const next = await painter('studio', 'next');
  expect(next.board.data.size).toBe(PAINTERS * STROKES - 1);
  expect(next.people.data.size).toBe(1);
});

test('what is no stroke, and who is here, cannot be forged', async () => {
  const { client, board, people } = await painter('safe', 'ann');
  expect(await client.call('me')).toEqual({ name: 'ann', colour: '#d33' });
  await board.setAndWait('ann-1', stroke('ann', 1));
  board.set('ann-1', 'nonsense');
  board.set('ann-2', { by: 'ann', colour: '#d33', points: [{ x: 'left' }] });
  board.set('bob-1', stroke('bob', 1));
  board.change({ send: ['shout', 'boo'] }, { send: ['pointer', 'ann', 1, 1] });
  await board.syncs.waitFor('the pointer', ({ sends }) => sends.length > 0);
  expect(board.syncs.entries.flatMap(({ sends }) => sends)).toEqual([['pointer', 'ann', 1, 1]]);
  await board.holds({ 'ann-1': stroke('ann', 1) });
  people.set('nobody', { name: 'nobody' });
  await people.syncs.waitFor('a refusal', ({ statuses }) => statuses.length > 0);
  await eventually('only ann', () => people.data.size === 1);
  expect((await connectRefused(`${server.rtmp}/whiteboard/safe`, { args: [''] })).description).toContain(
    '1 to 32',
  );
  expect(await client.call('undo')).toBe('ann-1');
  expect(await client.call('undo')).toBeNull();
});

const hugePoints = Array.from({ length: 501 }, (_, i) => ({ x: i, y: 0 }));
const nonsense: [string, unknown][] = [
  ['a text', 'nonsense'],
  ['null', null],
  ['no points', { by: 'eve', colour: '#d33' }],
  ['an empty stroke', { by: 'eve', colour: '#d33', points: [] }],
  ['points that are an object', { by: 'eve', colour: '#d33', points: { length: 1, 0: { x: 1, y: 1 } } }],
  ['points that are texts', { by: 'eve', colour: '#d33', points: [{ x: '1', y: '1' }] }],
  ['no number', { by: 'eve', colour: '#d33', points: [{ x: Number.NaN, y: 1 }] }],
  ['a point that is nowhere', { by: 'eve', colour: '#d33', points: [{ x: 1e300, y: 1 }] }],
  ['a point with baggage', { by: 'eve', colour: '#d33', points: [{ x: 1, y: 1, z: 'x'.repeat(1000) }] }],
  ['baggage', { ...stroke('eve', 1), more: 'x'.repeat(10_000) }],
  ['a colour that is an address', { ...stroke('eve', 1), colour: 'url(https://example.com)' }],
  ['a line of any width', { ...stroke('eve', 1), width: 1e9 }],
  ['too many points', { by: 'eve', colour: '#d33', points: hugePoints }],
  ['another name', stroke('ann', 1)],
];

test('who is hostile draws nothing, takes nothing away and speaks for nobody', async () => {
  const ann = await painter('hostile', 'ann');
  const eve = await painter('hostile', 'eve');
  await ann.board.setAndWait('ann-1', stroke('ann', 1));
  await eventually('it to be seen', () => eve.board.data.has('ann-1'));
  for (const [what, value] of nonsense) {
    eve.board.set(`eve-${what}`, value);
    eve.board.set('ann-1', value);
    const { points } = (value ?? {}) as { points?: unknown };
    if (what.includes('point')) eve.board.change({ send: ['ink', 'eve', 's', '#d33', 4, points] });
  }
  eve.board.set('ann-1', stroke('eve', 1));
  eve.board.set('x'.repeat(100), stroke('eve', 1));
  eve.board.change({ remove: 'ann-1' });
  for (const args of [
    ['pointer', 'ann', 1, 1],
    ['pointer', 'eve', 'left', 1],
    ['pointer', 'eve', 1, 1, 'x'.repeat(1000)],
    ['ink', 'ann', 's', '#d33', 4, [{ x: 1, y: 1 }]],
    ['ink', 'eve', 's'.repeat(100), '#d33', 4, [{ x: 1, y: 1 }]],
    ['shout', 'boo'],
  ])
    eve.board.change({ send: args });
  eve.board.change({ send: ['pointer', 'eve', 7, 7] });
  await ann.board.syncs.waitFor('the pointer', ({ sends }) => sends.length > 0);
  expect(ann.board.syncs.entries.flatMap(({ sends }) => sends)).toEqual([['pointer', 'eve', 7, 7]]);
  await ann.board.holds({ 'ann-1': stroke('ann', 1) });
  await eve.board.holds({ 'ann-1': stroke('ann', 1) });
  // Another board beside this one there is none, in memory or on disk.
  for (const [name, isPersistent] of [
    ['board', false],
    ['board/more', true],
    ['board/more', false],
  ] as const)
    await expect(new RemoteSharedObject(eve.client, name, { isPersistent }).connect()).rejects.toThrow();
  expect(await eve.client.call('undo')).toBeNull();
  expect(server.log.entries.filter(({ level }) => level === 'error')).toEqual([]);
});

test('who floods runs out of ink, and the oldest strokes give way to those of others', async () => {
  const ann = await painter('flood', 'ann');
  const eve = await painter('flood', 'eve');
  await ann.board.setAndWait('ann-1', stroke('ann', 1));
  for (let i = 0; i < 20_000; i++) eve.board.change({ send: ['pointer', 'eve', 1, 1] });
  eve.board.change({ send: ['pointer', 'eve', 2, 2] });
  for (let i = 0; i < 100; i++)
    eve.board.set(`eve-${i}`, { ...stroke('eve', 1), points: hugePoints.slice(1) });
  await eve.client.settled();
  await ann.board.setAndWait('ann-2', stroke('ann', 2));
  const told = ann.board.syncs.entries.flatMap(({ sends }) => sends).length;
  expect(told).toBeGreaterThan(1000);
  expect(told).toBeLessThan(15_000);
  expect(eve.board.data.size).toBeLessThan(100);

  // Of many painters the board keeps what it has room for.
  const crowd = await Promise.all(Array.from({ length: 8 }, (_, i) => painter('flood', `c${i}`)));
  await Promise.all(
    crowd.map(async ({ name, board }) => {
      for (let i = 0; i < 36; i++)
        await board.setAndWait(`${name}-${i}`, { ...stroke(name, 1), points: hugePoints.slice(1) });
    }),
  );
  expect(crowd.length * 36).toBeGreaterThan(201);
  // What came since the script was last told is on the board, too, until it is told.
  await eventually('the oldest to be gone', () => !ann.board.data.has('ann-1') && ann.board.data.size <= 201);
});
