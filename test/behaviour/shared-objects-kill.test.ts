import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { RtmpClient } from '../support/rtmp-client.ts';
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const ROUNDS = 50;
const WRITERS = 4;
const apps = { app: { 'README.md': 'No script here.' } };

/** What one client has written, and what of it the server has confirmed. */
interface Writer {
  readonly number: number;
  sent: number;
  confirmed: number;
}

test(`nothing that was confirmed is lost, or torn, when the server is killed ${ROUNDS} times while clients write`, {
  timeout: 300_000,
}, async () => {
  const data = temporaryFolder();
  const writers: Writer[] = Array.from({ length: WRITERS }, (_, number) => ({
    number,
    sent: 0,
    confirmed: 0,
  }));
  let confirmed = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const server = await startServer({ apps, data });
    const found = await player(server, 0);
    for (const writer of writers) {
      const value = (name: string) => Number(found.data.get(`${name}${writer.number}`) ?? 0);
      expect(value('a')).toBeGreaterThanOrEqual(writer.confirmed);
      expect(value('a')).toBeLessThanOrEqual(writer.sent);
      // All of one message.
      expect([value('b'), found.data.get(`pad${writer.number}`) ?? '']).toEqual([
        value('a'),
        padOf(value('a')),
      ]);
      writer.sent = value('a');
      writer.confirmed = value('a');
    }
    found.client.destroy();
    if (round === ROUNDS) {
      await server.stop();
      continue;
    }
    const before = writers.reduce((sum, writer) => sum + writer.confirmed, 0);
    const players = await Promise.all(writers.map(({ number }) => player(server, number % 2 === 0 ? 0 : 3)));
    const all = Promise.all(writers.map((writer, index) => write(players[index]!, writer)));
    // At another moment each time: a little later than the first that was confirmed.
    const now = () => writers.reduce((sum, writer) => sum + writer.confirmed, 0) - before;
    while (now() <= round) await new Promise((resolve) => setImmediate(resolve));
    server.kill('SIGKILL');
    await server.exited;
    await all;
    confirmed += now();
    await server.destroy();
  }
  const database = new DatabaseSync(join(data, 'shared-objects.db'));
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  database.close();
  expect(confirmed).toBeGreaterThan((ROUNDS * ROUNDS) / 2);
});

async function player(server: TestServer, encoding: 0 | 3): Promise<RemoteSharedObject> {
  const client = await RtmpClient.dial(`${server.rtmp}/app/room`, { objectEncoding: encoding });
  await client.connect();
  return new RemoteSharedObject(client, 'notes', { isPersistent: true, encoding }).connect();
}

/** Three slots in each message, up to eight messages ahead of what is confirmed, until the server is gone. */
async function write(so: RemoteSharedObject, writer: Writer): Promise<void> {
  const { number } = writer;
  let seen = 0;
  while (!so.client.isClosed) {
    while (writer.sent - writer.confirmed < 8) {
      const n = ++writer.sent;
      so.change({ set: { [`a${number}`]: n, [`b${number}`]: n, [`pad${number}`]: padOf(n) } });
    }
    await new Promise((resolve) => setImmediate(resolve));
    for (const { list } of so.syncs.entries.slice(seen))
      writer.confirmed += list.filter(({ code, name }) => code === 'success' && name === `a${number}`).length;
    seen = so.syncs.entries.length;
  }
}

function padOf(n: number): string {
  return n === 0 ? '' : String(n).repeat(200);
}
