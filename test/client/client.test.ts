import { expect, expectTypeOf, onTestFinished, test } from 'vitest';
import {
  CallError,
  type Change,
  type Info,
  type MediaOutput,
  NetConnection,
  NetStream,
  SharedObject,
} from '../../client/index.ts';
import { eventually, inTime } from '../support/journal.ts';
import { avcHeader, interFrame, keyFrame } from '../support/media.ts';
import { codesOf, connectClient, openClient, Recorder, status } from '../support/own-client.ts';
import { connect as connectRtmp } from '../support/rtmp-client.ts';
import { startServer, type TestServer, useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const script = `
  application.onConnect = (client, word, details) => {
    if (word === 'no') {
      application.rejectConnection(client, 'You may not.', { why: 'word' });
      return false;
    }
    client.args = [word, details];
    return true;
  };
  Object.assign(Client.prototype, {
    echo(...args) { return args; },
    given() { return this.args; },
    me() { return { agent: this.agent, pageUrl: this.pageUrl, protocol: this.protocol, uri: this.uri }; },
    fails() { throw new Error('broken'); },
    ask(method, ...args) { return this.invoke(method, ...args); },
    tell(method, ...args) { this.call(method, null, ...args); },
    types() {
      return [undefined, null, true, 1.5, 'ä€𝄞', [1, [2]], { a: { b: 1 } }, new Date(5), new Uint8Array([1, 2, 255]), new Map([['k', 1]])];
    },
    kick() { application.disconnect(this); },
    move(tcUrl) { this.requestReconnect(tcUrl); },
    fill(name, value) { SharedObject.get(name).setProperty('byScript', value); },
    say(name) { SharedObject.get(name).send('heard', 'script', 1); },
  });
`;
const apps = {
  room: { 'main.ts': script },
  open: { 'README.md': 'no script' },
};
const server = useServer({ apps });

interface Methods {
  echo(...args: unknown[]): unknown[];
  given(): [string, object];
  fails(): never;
}

function address(path = '/room/one', of: TestServer = server): string {
  return `${of.http}${path}`;
}

const connected = (path?: string, of?: TestServer) => connectClient(address(path, of));

test('CNC-01: connect resolves with the status, and its arguments reach onConnect', async () => {
  const connection = openClient();
  const statuses: Info[] = [];
  connection.onStatus = (info) => statuses.push(info);
  const info = await connection.connect(address(), 'word', { a: [1] });
  expect(info).toMatchObject({ code: 'NetConnection.Connect.Success', level: 'status', objectEncoding: 3 });
  expect(statuses).toEqual([info]);
  expect(connection.connected).toBe(true);
  expect(await connection.invoke('given')).toEqual(['word', { a: [1] }]);
  expect(await connection.invoke('me')).toMatchObject({
    agent: expect.stringMatching(/^Stagewire /),
    protocol: 'ws',
    uri: address().replace('http', 'ws'),
  });
  expect(connection).toMatchObject({ protocol: 'ws', usingTLS: false, uri: address().replace('http', 'ws') });
});

test('a refusal rejects with what the application said, and is the end', async () => {
  const connection = openClient();
  const codes = codesOf(connection);
  const failure: unknown = await connection.connect(address(), 'no').catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CallError);
  expect((failure as CallError).info).toMatchObject({
    code: 'NetConnection.Connect.Rejected',
    description: expect.stringContaining('You may not.'),
    application: { why: 'word' },
  });
  expect(codes.entries).toEqual(['NetConnection.Connect.Rejected']);
  expect(connection.connected).toBe(false);
});

test('ST-03: nobody there is NetConnection.Connect.Failed', async () => {
  const connection = openClient();
  const codes = codesOf(connection);
  await expect(connection.connect('ws://127.0.0.1:9/room')).rejects.toMatchObject({
    info: { code: 'NetConnection.Connect.Failed' },
  });
  await status(codes, 'NetConnection.Connect.Failed');
  expect(() => connection.connect('rtmp://127.0.0.1/room')).toThrow('connect to ws: or wss:');
});

test('CNC-03: a call is answered as a promise, to a responder, or to nobody', async () => {
  const connection = await connected();
  expect(await connection.call('echo', null, 1, 'two')).toEqual([1, 'two']);
  const answers: unknown[] = [];
  await connection.call('echo', { onResult: (value) => answers.push(value) }, 3);
  await connection
    .call('fails', { onStatus: ({ code, description }) => answers.push(code, description) })
    .catch(() => {});
  void connection.call('fails'); // nobody minds
  expect(answers).toEqual([[3], 'NetConnection.Call.Failed', expect.stringContaining('broken')]);
  await expect(connection.invoke('fails')).rejects.toMatchObject({
    info: { code: 'NetConnection.Call.Failed' },
  });
  await expect(connection.invoke('missing')).rejects.toThrow('Method not found (missing).');
  await expect(connection.invoke('echo', 1n)).rejects.toThrow('bigint');
});

test('values of all kinds come and go', async () => {
  const connection = await connected();
  const values = [
    undefined,
    null,
    true,
    1.5,
    'ä€𝄞',
    [1, [2]],
    { a: { b: 1 } },
    new Date(5),
    new Uint8Array([1, 2, 255]),
    new Map([['k', 1]]),
  ];
  expect(await connection.invoke('types')).toEqual(values);
  expect(await connection.invoke('echo', ...values)).toEqual(values);
  const text = 'x'.repeat(100_000);
  expect(await connection.invoke('echo', text)).toEqual([text]);
});

test('CNC-05: the server calls methods of client and of on, and what they throw or miss is its answer', async () => {
  const connection = await connected();
  connection.client = {
    base: 10,
    add(this: { base: number }, value: number) {
      return this.base + value;
    },
    async later(value: number) {
      return value;
    },
    breaks() {
      throw new Error('not today');
    },
  };
  const off = connection.on('twice', (value: number) => value * 2);
  expect(await connection.invoke('ask', 'add', 1)).toBe(11);
  expect(await connection.invoke('ask', 'later', 2)).toBe(2);
  expect(await connection.invoke('ask', 'twice', 3)).toBe(6);
  off();
  for (const [name, text] of [
    ['twice', 'Method not found (twice).'],
    ['toString', 'Method not found (toString).'],
    ['__proto__', 'Method not found'],
    ['base', 'Method not found (base).'],
    ['breaks', 'not today'],
  ] as const)
    await expect(connection.invoke('ask', name)).rejects.toThrow(text);
  const heard = new Promise((resolve) => connection.on('heard', (...args) => resolve(args)));
  await connection.invoke('tell', 'heard', 'a', 1);
  expect(await inTime('a call', heard)).toEqual(['a', 1]);
});

test('CNC-02: close ends calls, streams and attempts to come back', async () => {
  const connection = await connected();
  const codes = codesOf(connection);
  const call = connection.invoke('ask', 'never');
  connection.on('never', () => new Promise(() => {}));
  connection.close();
  await expect(call).rejects.toThrow('The connection was closed.');
  await expect(connection.invoke('echo')).rejects.toThrow('No connection.');
  expect(codes.entries).toEqual(['NetConnection.Connect.Closed']);
  expect(connection.connected).toBe(false);
  await connection.connect(address());
  expect(await connection.invoke('echo', 1)).toEqual([1]);
});

test('a client that the application sends away stays away', async () => {
  const connection = await connected();
  const codes = codesOf(connection);
  void connection.call('kick');
  await status(codes, 'NetConnection.Connect.Closed');
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(codes.entries).toEqual(['NetConnection.Connect.Closed']);
});

test('a client that is asked to connect elsewhere does', async () => {
  const connection = await connected();
  const codes = codesOf(connection);
  void connection.call('move', null, '/room/two');
  await status(codes, 'NetConnection.Connect.Success');
  expect(connection.uri).toMatch(/\/room\/two$/);
  expect(codes.entries).toEqual([
    'NetConnection.Connect.ReconnectRequest',
    'NetConnection.Connect.Closed',
    'NetConnection.Connect.Success',
  ]);
  expect(await connection.invoke('echo', 2)).toEqual([2]);
});

test('what cannot be sent with connect rejects at once', async () => {
  const connection = openClient();
  const codes = codesOf(connection);
  await expect(connection.connect(address(), 10n)).rejects.toThrow('cannot send a bigint');
  expect(codes.entries).toEqual([]);
});

test('what is made when Success is told is made once for the server', async () => {
  const connection = openClient();
  connection.onStatus = () => {
    new NetStream(connection);
    SharedObject.getRemote('once', connection);
  };
  await connection.connect(address('/open/once'));
  expect(await connection.invoke('createStream')).toBe(2);
});

test('who closes a connection when it is told of something has it closed', async () => {
  for (const code of ['Connect.Success', 'Connect.ReconnectRequest', 'Connect.Closed']) {
    const connection = openClient();
    const codes = codesOf(connection);
    const stream = new NetStream(connection);
    connection.onStatus = (info) => info.code === `NetConnection.${code}` && connection.close();
    await connection.connect(address());
    void connection.call('move', null, '/room/two');
    await status(codes, 'NetConnection.Connect.Closed');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(connection.connected).toBe(false);
    expect(codes.entries.filter((each) => each === 'NetConnection.Connect.Success')).toHaveLength(1);
    stream.close();
  }
});

test('who connects when it is told of the end gives way to the connect that ended it', async () => {
  const connection = await connected();
  let other: Promise<string> | undefined;
  connection.onStatus = ({ code }) => {
    if (code === 'NetConnection.Connect.Closed')
      other ??= connection.connect(address('/room/three')).then(() => 'connected', String);
  };
  await inTime('the connection', connection.connect(address('/room/two')));
  expect(await inTime('the other one', other!)).toContain('The connection was closed.');
  expect(connection.uri).toMatch(/two$/);
  expect(await connection.invoke('echo', 1)).toEqual([1]);
});

test('methods that an application declares are checked by the compiler', () => {
  const connection = new NetConnection<Methods>();
  const typed = () => connection.call('given');
  expectTypeOf(typed).returns.resolves.toEqualTypeOf<[string, object]>();
  const other = () => connection.call<number>('elsewhere', null, 1);
  expectTypeOf(other).returns.resolves.toEqualTypeOf<number>();
  const undeclared = new NetConnection();
  expectTypeOf(() => undeclared.invoke<string>('any', 1)).returns.resolves.toEqualTypeOf<string>();
  const wrong = async () => {
    // @ts-expect-error: no such method
    const _name: number = await connection.invoke('elsewhere', 1);
    // @ts-expect-error: no such method
    void connection.call('elsewhere', null, 1);
    // @ts-expect-error: it takes nothing
    const _args: [string, object] = await connection.invoke('given', 1);
  };
  expectTypeOf(wrong).toBeFunction();
  const object = () => SharedObject.getRemote<{ topic: string }>('x', connection);
  expectTypeOf(object).returns.toHaveProperty('data').toEqualTypeOf<Readonly<{ topic?: string }>>();
});

// Shared objects.

interface Board {
  topic: string;
  score: number;
  byScript: unknown;
}

test('CSO-01: an object is the same for all who have it, an RTMP client and the script among them', async () => {
  const [a, b] = [await connected('/room/so'), await connected('/room/so')];
  const one = await SharedObject.getRemote<Board>('board', a).ready;
  const two = await SharedObject.getRemote<Board>('board', b).ready;
  expect(SharedObject.getRemote('board', a)).toBe(one);
  const old = await new RemoteSharedObject(await connectRtmp(`${server.rtmp}/room/so`), 'board').connect();
  const lists: (readonly Change[])[] = [];
  two.addEventListener('sync', (event) => lists.push(event.changeList));
  one.setProperty('topic', 'bridges');
  one.setProperty('score', 1);
  expect(one.data).toEqual({ topic: 'bridges', score: 1 });
  await old.holds({ topic: 'bridges', score: 1 });
  expect(two.data).toEqual({ topic: 'bridges', score: 1 });
  // One round is one message, and one version.
  expect(lists).toEqual([
    [
      { code: 'change', name: 'topic', oldValue: undefined },
      { code: 'change', name: 'score', oldValue: undefined },
    ],
  ]);
  old.set('score', 2);
  await eventually('the other value', () => one.data.score === 2 && two.data.score === 2);
  await a.invoke('fill', 'board', { deep: [1] });
  await eventually('the value of the script', () => two.data.byScript !== undefined);
  expect(two.data.byScript).toEqual({ deep: [1] });
  two.setProperty('topic', null);
  await eventually('the slot is gone', () => !('topic' in one.data));
  expect(one.size).toBe(2);
  two.clear();
  await old.holds({});
});

test('CSO-05: send reaches everybody, the sender too', async () => {
  const [a, b] = [await connected('/room/send'), await connected('/room/send')];
  const heard: unknown[][] = [];
  for (const connection of [a, b]) {
    const object = await SharedObject.getRemote('board', connection).ready;
    object.client = { heard: (...args: unknown[]) => heard.push(args) };
  }
  SharedObject.getRemote('board', a).send('heard', 'a', { b: 1 });
  await a.invoke('say', 'board');
  await eventually('four', () => heard.length === 4);
  expect(heard.filter(([who]) => who === 'a')).toEqual([
    ['a', { b: 1 }],
    ['a', { b: 1 }],
  ]);
});

test('CSO-15: onSync tells success, reject, change and delete', async () => {
  const [a, b] = [await connected('/open/sync'), await connected('/open/sync')];
  const one = await SharedObject.getRemote('board', a).ready;
  const two = await SharedObject.getRemote('board', b).ready;
  const list: Change[] = [];
  one.onSync = (changes) => list.push(...changes);
  one.setProperty('x', 1);
  await eventually('success', () => list.length === 1);
  two.setProperty('x', 2);
  await eventually('change', () => list.length === 2);
  two.setProperty('x', undefined);
  await eventually('delete', () => list.length === 3);
  expect(list).toEqual([
    { code: 'success', name: 'x' },
    { code: 'change', name: 'x', oldValue: 1 },
    { code: 'delete', name: 'x', oldValue: 2 },
  ]);
});

test('CSO-08: who has closed an object hears no more of it', async () => {
  const [a, b] = [await connected('/open/close'), await connected('/open/close')];
  const one = await SharedObject.getRemote('board', a).ready;
  const two = await SharedObject.getRemote('board', b).ready;
  one.close();
  two.setProperty('x', 1);
  await eventually('it is there', async () => {
    const again = await SharedObject.getRemote('board', a).ready;
    return (again.data as { x?: number }).x === 1;
  });
  expect(one.data).toEqual({});
  expect(SharedObject.getRemote('board', a)).not.toBe(one);
});

test('an object that was closed says nothing more, and closing it again does nothing to the next', async () => {
  const connection = await connected('/open/closed');
  const one = await SharedObject.getRemote('board', connection).ready;
  one.close();
  one.setProperty('x', 1);
  const two = await SharedObject.getRemote('board', connection).ready;
  one.close();
  expect(SharedObject.getRemote('board', connection)).toBe(two);
  two.setProperty('y', 1);
  const other = await SharedObject.getRemote('board', await connected('/open/closed')).ready;
  await eventually('it is there', () => 'y' in other.data);
  expect(other.data).toEqual({ y: 1 });
  other.setProperty('z', 1);
  await eventually('it is heard', () => 'z' in two.data);
});

test('more changes at once than one message may have come in several', async () => {
  const connection = await connected('/open/much');
  const codes = codesOf(connection);
  const board = await SharedObject.getRemote('board', connection).ready;
  for (let i = 0; i < 9000; i++) board.setProperty(`slot${i}`, i);
  for (let i = 0; i < 40; i++) board.setProperty(`long${i}`, 'x'.repeat(60_000));
  const other = await SharedObject.getRemote('board', await connected('/open/much')).ready;
  await eventually('all of it', () => other.size === 9040);
  board.clear();
  await eventually('nothing', () => other.size === 0);
  expect(codes.entries).toEqual([]);
});

test('a value that cannot be sent is the fault of who sets it, and spoils nothing else', async () => {
  const connection = await connected('/open/spoilt');
  const board = await SharedObject.getRemote('board', connection).ready;
  board.setProperty('good', 1);
  expect(() => board.setProperty('bad', 10n)).toThrow('cannot send a bigint');
  expect(() => board.send('bad', 10n)).toThrow('cannot send a bigint');
  expect(board.data).toEqual({ good: 1 });
  const other = await SharedObject.getRemote('board', await connected('/open/spoilt')).ready;
  await eventually('it is there', () => other.size === 1);
});

// What a lost connection leaves.

test('a server that is killed and comes back has its clients, their objects and their streams again', async () => {
  const first = await startServer({ apps });
  const url = new URL(first.http);
  const connection = await connected('/room/back', first);
  const codes = codesOf(connection);
  const board = await SharedObject.getRemote<Board>('board', connection).ready;
  board.setProperty('topic', 'before');
  const stream = new NetStream(connection);
  const streamCodes = codesOf(stream);
  stream.play('cam');
  await status(streamCodes, 'NetStream.Play.Start');

  const open = connection.invoke('ask', 'never');
  connection.on('never', () => new Promise(() => {}));
  await connection.invoke('echo');
  first.kill('SIGKILL');
  await expect(open).rejects.toMatchObject({ info: { code: 'NetConnection.Call.Failed' } });
  await status(codes, 'NetConnection.Connect.Closed');
  board.setProperty('score', 7); // while nobody hears it
  const from = streamCodes.mark;
  await startServer({ apps, http: Number(url.port) });
  await status(codes, 'NetConnection.Connect.Success');
  await status(streamCodes, 'NetStream.Play.Start', from);
  await board.ready;
  await eventually('what was written meanwhile', async () => {
    const other = await connected('/room/back', first);
    const seen = await SharedObject.getRemote<Board>('board', other).ready;
    other.close();
    return seen.data.score === 7;
  });
  expect(await connection.invoke('echo', 'again')).toEqual(['again']);
});

// Streams.

test('CNS-04: one publishes and another plays, with headers for who comes late, metadata and data', async () => {
  const publisher = new NetStream(await connected('/open/stage'));
  let output: MediaOutput | undefined;
  let stops = 0;
  publisher.source = {
    start: (out) => {
      output = out;
      out.video(0, avcHeader);
      out.video(0, keyFrame(1));
    },
    stop: () => stops++,
  };
  const codes = codesOf(publisher);
  publisher.publish('cam');
  await status(codes, 'NetStream.Publish.Start');
  publisher.send('@setDataFrame', 'onMetaData', { width: 320 });

  const viewer = new NetStream(await connected('/open/stage'));
  const recorder = new Recorder();
  viewer.sink = recorder;
  const metadata = new Promise((resolve) => {
    viewer.onMetaData = resolve;
  });
  const cue = new Promise((resolve) => viewer.on('onCue', (...args) => resolve(args)));
  const viewerCodes = codesOf(viewer);
  viewer.play('cam');
  expect(await inTime('metadata', metadata)).toMatchObject({ width: 320 });
  await recorder.got.waitFor('the key frame', ({ hex }) => hex === Buffer.from(keyFrame(1)).toString('hex'));
  output?.video(40, interFrame(2));
  output?.audio(50, Buffer.from('af0101', 'hex'));
  publisher.send('onCue', 'now', 1);
  expect(await inTime('data', cue)).toEqual(['now', 1]);
  expect(recorder.got.entries.map(({ kind, timestamp }) => [kind, timestamp])).toEqual([
    ['video', 0],
    ['video', 0],
    ['video', 40],
    ['audio', 50],
  ]);
  recorder.played = 40;
  expect(viewer.stats).toMatchObject({ messagesIn: 4, receivedTime: 50, playedTime: 40 });
  expect(publisher.stats).toMatchObject({ messagesOut: 4 });

  publisher.publish(false);
  await status(viewerCodes, 'NetStream.Play.UnpublishNotify');
  expect(stops).toBe(1);
  output?.video(80, interFrame(3)); // nobody's any more
  const second = new NetStream(await connected('/open/stage'));
  const taken = codesOf(second);
  publisher.publish('cam');
  await viewerCodes.waitFor('again', (code) => code === 'NetStream.Play.PublishNotify');
  second.publish('cam');
  await status(taken, 'NetStream.Publish.BadName');
});

test('a stream that is closed before the server has made it leaves nothing there', async () => {
  const connection = await connected('/open/many');
  for (let i = 0; i < 100; i++) {
    new NetStream(connection).close();
    if (i % 20 === 19) await connection.invoke('deleteStream', 999); // the server has come so far
  }
  await eventually('they are gone', async () => (await connection.invoke('createStream')) === 1);
});

test('who publishes under another name has left the first one', async () => {
  const stream = new NetStream(await connected('/open/rename'));
  let starts = 0;
  let stops = 0;
  stream.source = { start: () => starts++, stop: () => stops++ };
  const codes = codesOf(stream);
  stream.publish('one');
  await status(codes, 'NetStream.Publish.Start');
  stream.publish('two');
  await status(codes, 'NetStream.Publish.Start', 1);
  expect(codes.entries).toEqual([
    'NetStream.Publish.Start',
    'NetStream.Unpublish.Success',
    'NetStream.Publish.Start',
  ]);
  expect([starts, stops]).toEqual([2, 1]);
  const other = new NetStream(await connected('/open/rename'));
  other.publish('one');
  await status(codesOf(other), 'NetStream.Publish.Start');
});

test('a sink that says how far it has played bounds what it is sent', async () => {
  const small = await startServer({ apps, limits: { viewerDelayMs: 200 } });
  const publisher = await (await connectRtmp(`${small.rtmp}/open/delay`)).createStream();
  await publisher.publish('cam');
  publisher.video(0, keyFrame(1));
  const stream = new NetStream(await connected('/open/delay', small));
  const recorder = new Recorder();
  recorder.played = 0; // and there it stays
  stream.sink = recorder;
  stream.play('cam');
  await recorder.got.waitFor('the key frame', ({ kind }) => kind === 'video');
  let time = 0;
  const timer = setInterval(() => {
    time += 20;
    publisher.video(time, interFrame(time & 0x7f));
  }, 20);
  onTestFinished(() => clearInterval(timer));
  await eventually('a second', () => time > 1000);
  const last = recorder.got.entries.at(-1)?.timestamp ?? 0;
  expect(last).toBeLessThan(600);
  recorder.played = last;
  await eventually('it is told', async () => {
    time += 20;
    publisher.video(time, keyFrame(2));
    await publisher.settled();
    return (recorder.got.entries.at(-1)?.timestamp ?? 0) > 1000;
  });
});

test('a page whose timers are slow says how far it has played when something comes', async () => {
  const small = await startServer({ apps, limits: { viewerDelayMs: 1000 } });
  const publisher = await (await connectRtmp(`${small.rtmp}/open/tab`)).createStream();
  await publisher.publish('cam');
  publisher.video(0, keyFrame(1));
  const connection = await connected('/open/tab', small);
  const stream = new NetStream(connection);
  const recorder = new Recorder();
  recorder.played = 0;
  stream.sink = recorder;
  stream.play('cam');
  await recorder.got.waitFor('the key frame', ({ kind }) => kind === 'video');
  // As browsers do in tabs that nobody sees.
  const { setTimeout: later, setInterval: often } = globalThis;
  onTestFinished(() => void Object.assign(globalThis, { setTimeout: later, setInterval: often }));
  Object.assign(globalThis, {
    setTimeout: (run: () => void) => later(run, 60_000),
    setInterval: (run: () => void) => often(run, 60_000),
  });
  await new Promise((done) => later(done, 1500)); // the last timer that was set before says it once more
  for (let time = 100; time <= 4000; time += 100) {
    recorder.played = time - 100;
    publisher.video(time, interFrame(time & 0x7f));
    await recorder.got.waitFor(`the picture of ${time}`, ({ timestamp }) => timestamp >= time);
  }
});
