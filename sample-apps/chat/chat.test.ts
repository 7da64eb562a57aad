import { createRequire } from 'node:module';
import { expect, onTestFinished, test } from 'vitest';
import { inTime, Journal } from '../../test/support/journal.ts';
import { makeClip, publishFile, scratchFolder } from '../../test/support/media-tools.ts';
import { connect, connectRefused } from '../../test/support/rtmp-client.ts';
import { useServer } from '../../test/support/server.ts';
import { requireTools } from '../../test/support/tools.ts';

/** The npm package `rtmp-client`: a client that nobody here wrote. It has no types of its own. */
interface NetConnection {
  onStatus: (info: { code: string; description: string; application?: unknown }) => void;
  connect(url: string, ...args: unknown[]): boolean;
  call(method: string, responder: object | null, ...args: unknown[]): Promise<unknown>;
  close(): void;
  [method: string]: unknown;
}
const rtmpClient = createRequire(import.meta.url)('rtmp-client') as {
  NetConnection: new () => NetConnection;
};

const server = useServer({ samples: ['chat', 'live'] });

/** What one person in the room hears. */
class Person {
  readonly heard = new Journal<unknown[]>('the room', (entry) => JSON.stringify(entry));
  readonly connection = new rtmpClient.NetConnection();
  readonly status: Promise<{ code: string; description: string; application?: unknown }>;

  constructor(room: string, name: string) {
    for (const method of ['joined', 'left', 'heard', 'whispered']) {
      this.connection[method] = (...args: unknown[]) => this.heard.add([method, ...args]);
    }
    this.status = new Promise((resolve) => {
      this.connection.onStatus = resolve;
    });
    this.connection.connect(`${server.rtmp}/chat/${room}`, name);
    onTestFinished(() => this.connection.close());
  }

  static async enter(room: string, name: string): Promise<Person> {
    const person = new Person(room, name);
    expect((await inTime('the status', person.status)).code).toBe('NetConnection.Connect.Success');
    return person;
  }

  call(method: string, ...args: unknown[]): Promise<unknown> {
    const answer = new Promise((resolve, reject) => {
      const onStatus = (info: { description: string }) => reject(new Error(info.description));
      void this.connection.call(method, { onResult: resolve, onStatus }, ...args);
    });
    return inTime(`an answer to ${method}`, answer);
  }

  hears(...what: unknown[]): Promise<unknown[]> {
    const wanted = JSON.stringify(what);
    return this.heard.waitFor(wanted, (entry) => JSON.stringify(entry) === wanted);
  }
}

test('people who come, speak, whisper and go are heard by the others', async () => {
  const ann = await Person.enter('lobby', 'ann');
  const bob = await Person.enter('lobby', 'bob');
  await ann.hears('joined', 'bob');
  expect(await bob.call('who')).toEqual(['ann', 'bob']);
  expect(await ann.call('say', 'hello all')).toBe(9);
  for (const person of [ann, bob]) await person.hears('heard', 'ann', 'hello all');
  expect(await bob.call('whisper', 'ann', 'psst')).toBe(true);
  await ann.hears('whispered', 'bob', 'psst');
  expect(await bob.call('whisper', 'nobody', 'psst')).toBe(false);
  expect(bob.heard.entries).not.toContainEqual(['whispered', 'bob', 'psst']);
  bob.connection.close();
  await ann.hears('left', 'bob');
  expect(await ann.call('who')).toEqual(['ann']);
});

test('saying nothing fails the call', async () => {
  const ann = await Person.enter('quiet', 'ann');
  await expect(ann.call('say', ' ')).rejects.toThrow();
  await expect(ann.call('shout', 'x')).rejects.toThrow('Method not found (shout).');
  expect(await ann.call('who')).toEqual(['ann']);
});

test('a name is needed, and only one person has it', async () => {
  await Person.enter('names', 'ann');
  const second = new Person('names', 'ann');
  expect(await second.status).toMatchObject({
    code: 'NetConnection.Connect.Rejected',
    description: 'The name ann is taken.',
    application: { taken: 'ann' },
  });
  for (const args of [[], [''], ['x'.repeat(33)]]) {
    const info = await connectRefused(`${server.rtmp}/chat/names`, { args });
    expect(info.description).toBe('Connect with a name of 1 to 32 characters.');
  }
});

test('saving main.ts changes the next answer; ffmpeg publishes and its viewers watch without a gap', async (context) => {
  requireTools(context, 'ffmpeg');
  const clip = await makeClip(scratchFolder(), 6);
  const ann = await Person.enter('studio', 'ann');
  expect(await ann.call('say', 'four')).toBe(4);

  // One publisher in the other application, and one in the very instance whose script is replaced.
  const from = server.log.mark;
  const publishers = [
    publishFile(clip, `${server.rtmp}/live/demo?key=stage-door`),
    publishFile(clip, `${server.rtmp}/chat/studio/cam`, '-rtmp_conn', 'S:camera', '-rtmp_app', 'chat/studio'),
  ];
  await ann.hears('joined', 'camera');
  const watchers = [
    await (await connect(`${server.rtmp}/live`)).createStream(),
    await (await connect(`${server.rtmp}/chat/studio`, { args: ['watcher'] })).createStream(),
  ];
  await Promise.all([watchers[0]!.play('demo'), watchers[1]!.play('cam')]);
  for (const watcher of watchers) {
    await watcher.received.waitFor('half a second', ({ type, timestamp }) => type === 9 && timestamp >= 500);
  }

  const source = server.readFile('chat/main.ts');
  server.writeFile('chat/main.ts', source.replace('return line.length;', 'return line.toUpperCase();'));
  await server.waitForLog((r) => r.instance === 'chat/studio' && r.message.startsWith('runs new code'), from);
  expect(await ann.call('say', 'four')).toBe('FOUR');
  expect(await ann.call('who')).toEqual(['ann', 'camera', 'watcher']);

  // A syntax error leaves the new code serving.
  server.writeFile('chat/main.ts', source.replace('return line.length;', 'return line.length +;'));
  const report = await server.waitForLog((r) => r.instance === 'chat' && r.code === 'E_BUILD', from);
  expect(report.detail).toContain('return line.length +;');
  expect(await ann.call('say', 'five!')).toBe('FIVE!');
  server.writeFile('chat/main.ts', source);

  for (const publisher of publishers) expect(await publisher.end()).toMatchObject({ code: 0, errors: '' });
  for (const watcher of watchers) {
    await watcher.status('NetStream.Play.UnpublishNotify');
    const times = watcher.media.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
    const frames = [...new Set(times)];
    const gaps = frames.slice(1).map((time, index) => time - frames[index]!);
    expect(frames.length).toBeGreaterThan(60);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(51); // 20 pictures a second
    expect(watcher.codes.filter((code) => code.includes('Unpublish'))).toHaveLength(1);
  }
});
