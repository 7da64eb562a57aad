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
