import { expect, test } from 'vitest';
import { connect, connectRefused } from '../../test/support/rtmp-client.ts';
import { useServer } from '../../test/support/server.ts';

const server = useServer({ samples: ['classic-chat'] });
const enter = (name: string) => connect(`${server.rtmp}/classic-chat`, { args: [name] });

test('people join rooms, talk, and leave', async () => {
  const ann = await enter('ann<b>');
  expect((await ann.waitForCall('welcome')).args).toEqual(['Welcome to classic-chat', 'annb']);
  expect(await ann.call('say', 'hello')).toBe('Join a room first.');
  expect(await ann.call('joinRoom', '!')).toBe('A room needs a name.');
  expect(await ann.call('joinRoom', 'lobby')).toEqual([]);
  expect(await ann.call('say', 'is <anybody> here?')).toBe(true);

  const bob = await enter('bob');
  expect(await bob.call('joinRoom', 'lobby')).toEqual(['annb: is &lt;anybody&gt; here?']);
  expect(
    (await ann.received.waitFor('bob', (r) => r.name === 'personJoined' && r.args[0] === 'bob')).args,
  ).toEqual(['bob']);
  expect(await bob.call('getPeople')).toEqual(['annb', 'bob']);
  await bob.call('say', 'yes');
  await ann.received.waitFor('the answer', (r) => r.name === 'message' && r.args[1] === 'yes');

  const cid = await enter('constructor');
  await cid.call('joinRoom', 'backstage');
  expect(await cid.call('getRooms')).toEqual([
    { name: 'lobby', people: 2 },
    { name: 'backstage', people: 1 },
  ]);
  expect(await cid.call('leaveRoom')).toBe(true);
  await bob.close();
  await ann.waitForCall('personLeft');
  expect(await ann.call('getRooms')).toEqual([{ name: 'lobby', people: 1 }]);
  expect(cid.callsOf('message')).toEqual([]);
});

test('names are needed, and belong to one person', async () => {
  await enter('dan');
  const url = `${server.rtmp}/classic-chat`;
  expect((await connectRefused(url, { args: ['dan'] })).application).toMatchObject({ reason: 'NAME_TAKEN' });
  expect((await connectRefused(url)).application).toMatchObject({ reason: 'NO_NAME' });
});

test('saving a loaded file gives the running instance new code; one that does not compile never takes over', async () => {
  const eve = await enter('eve');
  await eve.call('joinRoom', 'lab');
  const words = server.readFile('classic-chat/lib/words.asc');
  const save = async (text: string, line: string) => {
    const from = server.log.mark;
    server.writeFile('classic-chat/lib/words.asc', text);
    return server.waitForLog((r) => r.message.startsWith(line), from);
  };
  await save(words.replace('substr(0, 500)', 'toUpperCase()'), 'runs new code');
  expect(await eve.call('say', 'x')).toBe('Join a room first.');
  await eve.call('joinRoom', 'lab');
  await eve.call('say', 'loud');
  expect((await eve.waitForCall('message')).args).toEqual(['eve', 'LOUD']);

  const { detail } = await save('var a = 1;\nvar b = <b/>;', 'does not build');
  expect(detail).toContain('lib/words.asc:2:9: XML literal (E4X)');
  expect(detail).toContain('2 | var b = <b/>;');
  expect(await eve.call('say', 'still')).toBe(true);
  await save(words, 'runs new code');
});
