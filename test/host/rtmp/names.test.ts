import { describe, expect, test } from 'vitest';
import { parseApp } from '../../../host/rtmp/names.ts';

describe('the app of a connect command', () => {
  const cases = [
    { app: 'live', tcUrl: '', is: { app: 'live', instance: '_definst_', query: '' } },
    { app: 'live/', tcUrl: '', is: { app: 'live', instance: '_definst_', query: '' } },
    { app: '/live/room1/', tcUrl: '', is: { app: 'live', instance: 'room1', query: '' } },
    { app: 'live/a/b', tcUrl: '', is: { app: 'live', instance: 'a/b', query: '' } },
    {
      app: 'live/room1?user=x&a=/b',
      tcUrl: '',
      is: { app: 'live', instance: 'room1', query: 'user=x&a=/b' },
    },
    { app: '', tcUrl: 'rtmp://host:1935/live/x?k=1', is: { app: 'live', instance: 'x', query: 'k=1' } },
    { app: 'live/50%25', tcUrl: '', is: { app: 'live', instance: '50%25', query: '' } },
    { app: 'живо/зал', tcUrl: '', is: { app: 'живо', instance: 'зал', query: '' } },
  ];
  for (const { app, tcUrl, is } of cases) {
    test(`"${app || tcUrl}" is ${is.app}/${is.instance}`, () => expect(parseApp(app, tcUrl)).toEqual(is));
  }

  for (const app of [
    '',
    '/',
    '..',
    'live/..',
    'live/../x',
    'live//x',
    '.hidden',
    'a\\b',
    'a\u0000',
    'live/a\nb',
    'live/\u009b31m',
    'live/a\u2028b',
    'x'.repeat(300),
  ]) {
    test(`${JSON.stringify(app.slice(0, 20))} is refused`, () => {
      expect(() => parseApp(app, '')).toThrow(expect.objectContaining({ code: 'E_NAME', blame: 'peer' }));
    });
  }
});
