import { expect, test } from 'vitest';
import { describe as describing, status, statusLevels } from '../../wire/status.ts';

test('a status carries the level of its code', () => {
  expect(status('NetStream.Play.Start', describing.playStarted('clip'))).toEqual({
    level: 'status',
    code: 'NetStream.Play.Start',
    description: 'Started playing clip.',
  });
  expect(status('NetStream.Publish.BadName').level).toBe('error');
  expect(status('NetStream.Play.InsufficientBW').level).toBe('warning');
});

test('failures, rejections and refusals are errors', () => {
  for (const [code, level] of Object.entries(statusLevels)) {
    if (/Failed|Rejected|NotFound|BadName|No(Read|Write)?Access$/.test(code))
      expect([code, level]).toEqual([code, 'error']);
  }
});
