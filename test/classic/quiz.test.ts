import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ classics: ['quiz'] });

test('players are asked, answer, score, and hear of each other until the quiz is over', async () => {
  const url = `${server.rtmp}/quiz/night`;
  const ann = await connect(url, { args: ['ann'] });
  const bob = await connect(url, { args: ['bob'] });
  expect(await connectRefused(url, { args: ['ann'] })).toMatchObject({
    code: 'NetConnection.Connect.Rejected',
    application: { message: 'ann plays already.' },
  });
  expect(await connectRefused(url)).toMatchObject({ application: { message: 'No name, no game.' } });

  expect(await ann.call('answer', 'too early')).toBe('no question');
  await ann.call('start');
  expect((await bob.waitForCall('question')).args).toEqual([0, 'What is 6 x 7?', null]);
  expect(await bob.call('answer', '41')).toBe(false);
  expect(await ann.call('answer', 'FORTY-TWO')).toBe(true);
  expect((await bob.waitForCall('answerRight')).args).toEqual(['ann', 'FORTY-TWO']);
  expect(await bob.call('getScores')).toEqual([
    { name: 'ann', points: 3 },
    { name: 'bob', points: -1 },
  ]);

  expect(bob.callsOf('question')[1]).toEqual([1, 'Who made Director?', null]);
  expect(await bob.call('answer', 'macromind')).toBe(true);
  // The clock runs out on the last one.
  expect((await ann.waitForCall('timeLeft')).args).toEqual([expect.any(Number)]);
  expect((await ann.waitForCall('quizOver')).args).toEqual(['bob']);
  expect(ann.callsOf('question')).toHaveLength(3);
  expect(ann.callsOf('scores').at(-1)).toEqual([
    [
      { name: 'bob', points: 4 },
      { name: 'ann', points: 3 },
    ],
  ]);
  await server.expectTraces('quiz/night', ['quiz with 3 questions', 'nobody knew: Nobody knows this']);
});
