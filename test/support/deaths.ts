import type { RtmpClient } from './rtmp-client.ts';
import type { TestServer } from './server.ts';

const MOST = 10;

/**
 * Has an instance's script die until it is a while until the next: after the second time, but on a busy machine some deaths are not
 * held against it. Its `run` runs what it is given.
 */
export async function dieUntilItWaits(
  server: TestServer,
  instance: string,
  client: RtmpClient,
): Promise<void> {
  for (let death = 0; death < MOST; death++) {
    const from = server.log.mark;
    await client.callFails('run', 'for (;;);');
    const { message } = await server.waitForLog(
      (r) => r.instance === instance && /^start(s|ed) again/.test(r.message),
      from,
    );
    if (message.startsWith('starts again in')) return;
  }
  throw new Error(`${instance} died ${MOST} times and started again at once each time`);
}
