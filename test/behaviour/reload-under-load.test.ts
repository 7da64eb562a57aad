import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { startServer } from '../support/server.ts';

const build = (version: number) => `
  application.onConnect = () => true;
  Client.prototype.echo = (n) => [${version}, n];
  Client.prototype.echoLater = async (n) => { await null; return [${version}, n]; };
`;

test('calls that race with reloads are answered once each, in order, by one build or as failed by the reload', async () => {
  const server = await startServer({ apps: { race: { 'main.ts': build(0) } } });
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(`${server.rtmp}/race`)));
  const seen = new Set<number>();
  const failures = new Set<string>();
  let answered = 0;
  let isOver = false;

  const callers = clients.map(async (client) => {
    let newest = 0;
    for (let n = 1; !isOver; n++) {
      try {
        const [version, echoed] = (await client.call(n % 3 === 0 ? 'echoLater' : 'echo', n)) as [
          number,
          number,
        ];
        expect(echoed).toBe(n);
        expect(version, 'an old build answered after a new one').toBeGreaterThanOrEqual(newest);
        newest = version;
        seen.add(version);
        answered++;
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes('replaced (reload)')) throw error;
        failures.add(error.message);
      }
    }
  });

  for (let version = 1; version <= 8; version++) {
    server.writeApp('race', { 'main.ts': build(version) });
    const deadline = performance.now() + 20_000;
    while (!seen.has(version) && performance.now() < deadline)
      await new Promise((resolve) => setImmediate(resolve));
    expect(seen.has(version), `build ${version} answers`).toBe(true);
  }
  isOver = true;
  await Promise.all(callers);
  expect([...seen].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(answered).toBeGreaterThan(500);
});
