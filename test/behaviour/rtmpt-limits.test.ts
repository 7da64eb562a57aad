import { createConnection, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { eventually, inTime } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { startServer, type TestServer, useServer } from '../support/server.ts';
import { openTunnel, post } from '../support/tunnel-client.ts';

const server = useServer({ apps: { live: { 'README.md': 'no script' } } });

const post1 = (path: string, more = 'Content-Length: 1\r\n') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

/** A connection of its own; what it is sent is in `said`. */
class Line {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  said = '';
  isClosed = false;

  constructor(on: TestServer = server) {
    const { hostname, port } = new URL(on.http);
    this.socket = createConnection(Number(port), hostname);
    this.socket.on('error', () => {});
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.said += text;
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => {
        this.isClosed = true;
        resolve();
      });
    });
    onTestFinished(() => void this.socket.destroy());
  }

  /** Resolves when the system has taken it. */
  write(text: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(text, () => resolve()));
  }

  statuses(): string[] {
    return [...this.said.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status!);
  }
}

test('one connection opens sixteen tunnels ahead, and more when those are used', async () => {
  const line = new Line();
  await line.write(`${post1('/open/1')}\0`.repeat(17));
  await inTime('the end', line.closed);
  expect(line.statuses()).toEqual([...Array<string>(16).fill('200'), '503']);

  const user = new Line();
  for (let i = 1; i <= 20; i++) {
    await user.write(`${post1('/open/1')}\0`);
    await eventually(
      'a tunnel',
      () => user.said.split('\n').length > 1 && user.statuses().length === 2 * i - 1,
    );
    const id = /([0-9a-f]{32})\n$/.exec(user.said)?.[1];
    await user.write(`${post1(`/send/${id}/0`)}\x03`);
    await eventually('its answer', () => user.statuses().length === 2 * i);
  }
  expect(new Set(user.statuses())).toEqual(new Set(['200']));
});

test('an answer for which nobody is there any more takes nothing along', async () => {
  const id = await openTunnel(server.http);
  const hello = Buffer.alloc(1537);
  hello[0] = 3;
  await post(`${server.http}/idle/${id}/0`);
  // It waits for number 1, whose answer goes before it is looked at.
  const gone = new Line();
  await gone.write(post1(`/send/${id}/2`, `Content-Length: ${hello.length}\r\n`));
  await gone.write(hello);
  // Requests are seen in the order in which they are sent, and so are the ends of connections.
  for (let i = 0; i < 3; i++) await openTunnel(server.http);
  gone.socket.end();
  await openTunnel(server.http);
  expect((await post(`${server.http}/idle/${id}/1`)).body).toHaveLength(1);
  const next = await post(`${server.http}/idle/${id}/3`);
  expect(next.body).toHaveLength(1 + 1 + 2 * 1536);
});

test('a connection that does not bring a whole request is let go, wherever it stops', async () => {
  const quick = await startServer({ limits: { pingIdleMs: 300, dropSilentMs: 1500 } });
  const id = await openTunnel(quick.http);
  const head = post1(`/send/${id}/0`, 'Content-Length: 1000\r\n');
  const beginnings = ['POST /open/1 HTTP/1.1\r\nHost:', head, `${head}\x03abc`, `${post1('/open/1')}\0`];
  const lines = beginnings.map(() => new Line(quick));
  await Promise.all(lines.map((line, i) => line.write(beginnings[i]!)));
  await Promise.all(lines.map((line) => inTime('the end', line.closed)));
  expect(lines.map((line) => line.statuses())).toEqual([[], [], [], ['200']]);
});

test('a client that is gone is dropped also while it is read slowly', async () => {
  const slow = await startServer({
    apps: { live: { 'README.md': 'no script' } },
    limits: { pingIdleMs: 300, dropSilentMs: 1500, bytesPerSecondToServer: 1024 },
  });
  const client = await connect(`${slow.http.replace('http:', 'rtmpt:')}/live/room`);
  const stream = await client.createStream();
  await stream.publish('cam');
  // Two minutes of it.
  stream.video(0, new Uint8Array(120_000).fill(0x17));
  await eventually('it to be read slowly', async () => (await slow.health()).connections === 1);
  await client.reset();
  await eventually('it to be dropped', async () => (await slow.health()).connections === 0);
});

test('an address has four connections of tunnels for each client that it may have', async () => {
  const small = await startServer({ limits: { connectionsPerAddress: 2 } });
  const lines: Line[] = [];
  for (let i = 0; i < 8; i++) {
    const line = new Line(small);
    lines.push(line);
    await line.write(`${post1('/idle/none/0')}`.slice(0, 40));
  }
  const more = new Line(small);
  await more.write(post1('/open/1'));
  await inTime('the end', more.closed);
  expect(lines.map(({ isClosed }) => isClosed)).toEqual(lines.map(() => false));
  lines[0]!.socket.destroy();
  await eventually('room again', async () => {
    const line = new Line(small);
    await line.write(`${post1('/open/1')}\0`);
    await eventually('an end or an answer', () => line.isClosed || line.said !== '');
    return line.said !== '';
  });
});

test('connections that say nothing are bounded, and those that speak go on', async () => {
  const small = await startServer({ limits: { httpConnections: 3 } });
  const lines = Array.from({ length: 4 }, () => new Line(small));
  await Promise.all(lines.map((line) => line.write('GET /heal')));
  await eventually('one to be too many', () => lines.some(({ isClosed }) => isClosed));
  const left = lines.filter(({ isClosed }) => !isClosed);
  expect(left).toHaveLength(3);
  await left[0]!.write('thz HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually('an answer', () => left[0]!.said.includes('"status":"ok"'));
});
