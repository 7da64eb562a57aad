import { expect, test } from 'vitest';
import { dieUntilItWaits } from '../support/deaths.ts';
import { eventually } from '../support/journal.ts';
import { connect, type RtmpClient } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

const server = useServer({
  limits: { backOffMs: 30_000, handlerMs: 1500 },
  apps: {
    asked: {
      'main.js': `${runsCode}
        globalThis.so = SharedObject.get('people');
        so.authorize = ({ name }) => name !== 'no';
        Client.prototype.come = function (name) { so.setProperty(name, { here: true }, { until: this }); };
        export {};`,
    },
    people: {
      'main.js': `${runsCode}
        globalThis.so = SharedObject.get('people');
        Client.prototype.come = function (name) { so.setProperty(name, { here: true }, { until: this }); };
        export {};`,
    },
  },
});

let room = 0;
const newRoom = (app = 'people') => `${app}/p${room++}`;

async function person(at: string, encoding: 0 | 3 = 0): Promise<RemoteSharedObject> {
  const client = await connect(`${server.rtmp}/${at}`, { objectEncoding: encoding });
  return new RemoteSharedObject(client, 'people', { encoding }).connect();
}

const come = (client: RtmpClient, name: string) => client.call('come', name);
const here = { here: true };

test('set again without, or deleted, it is a slot like others; what clients change in it goes all the same', async () => {
  const at = newRoom();
  const so = await person(at);
  const guest = await person(at, 3);
  const code = `for (const name of ['plain', 'same', 'gone', 'changed', 'moved', 'undone', 'cleared']) so.setProperty(name, 1, { until: client });
    so.setProperty('plain', 2);
    so.setProperty('same', 1);
    so.setProperty('gone', null);
    so.setProperty('gone', 3);
    so.setProperty('moved', 1, { until: application.clients[0] });
    try { so.transaction(() => { so.setProperty('undone', 1); so.setProperty('undone', 2); throw 0; }); } catch {}
    so.setProperty('kept', 4);
    so.setProperty('kept', 4, { until: client });
    so.setProperty('kept', 4, {});`;
  await run(guest.client, code);
  guest.set('changed', 'by itself');
  await so.holds({
    plain: 2,
    same: 1,
    gone: 3,
    changed: 'by itself',
    moved: 1,
    undone: 1,
    cleared: 1,
    kept: 4,
  });
  so.change({ remove: 'cleared' });
  await so.setAndWait('cleared', 'anew');
  await guest.client.close();
  await so.holds({ plain: 2, same: 1, gone: 3, moved: 1, cleared: 'anew', kept: 4 });
  await so.client.close();
  const late = await person(at);
  await late.holds({ plain: 2, same: 1, gone: 3, cleared: 'anew', kept: 4 });
});

test('for a client that has left there is nothing to set', async () => {
  const at = newRoom();
  const so = await person(at);
  const guest = await connect(`${server.rtmp}/${at}`);
  await run(guest, 'globalThis.guest = client; so.setProperty("k", 1)');
  await so.holds({ k: 1 });
  // It leaves while the script is busy, which sets its slots all the same.
  const busy = run(
    so.client,
    'const end = Date.now(); so.setProperty("early", 1, { until: guest }); for (let i = 0; i < 1e8; i++); return 0',
  );
  await guest.close();
  await busy;
  await so.holds({ k: 1 });
  await eventually(
    'it to be gone',
    async () => (await run(so.client, 'return application.clients.length')) === 1,
  );
  await run(
    so.client,
    'so.setProperty("k", 2, { until: guest }); so.setProperty("late", 1, { until: guest })',
  );
  await so.holds({});
  expect(await run(so.client, 'return so.getPropertyNames()')).toEqual([]);
});

test('it goes while the script is busy, while it is dead, and after another has taken over', async (context) => {
  if (process.platform !== 'linux') return context.skip('core processes are found in /proc');
  const at = newRoom();
  const so = await person(at);
  const guests = await Promise.all(Array.from({ length: 5 }, () => connect(`${server.rtmp}/${at}`)));
  for (const [i, guest] of guests.entries()) await come(guest, `g${i}`);
  await so.holds({ g0: here, g1: here, g2: here, g3: here, g4: here });

  // Busy until it is stopped.
  const stopped = so.client.callFails('run', 'for (;;);');
  await guests[0]!.close();
  await so.holds({ g1: here, g2: here, g3: here, g4: here });
  expect(server.log.entries.some((r) => r.instance === at && r.code === 'E_HANDLER_TIMEOUT')).toBe(false);
  await stopped;
  await server.waitForLog((r) => r.instance === at && r.message.startsWith('started again'));
  expect(await run(so.client, 'return so.getPropertyNames()')).toEqual(['g1', 'g2', 'g3', 'g4']);

  // Its core is killed.
  server.killCores();
  await guests[4]!.close();
  await so.holds({ g1: here, g2: here, g3: here });
  expect(await run(so.client, 'return so.getPropertyNames()')).toEqual(['g1', 'g2', 'g3']);

  // Taken over from.
  server.writeFile('people/main.js', `${server.readFile('people/main.js')}\ntrace('newer');`);
  await server.waitForLog((r) => r.instance === at && r.message.startsWith('runs new code'));
  await guests[1]!.close();
  await so.holds({ g2: here, g3: here });
  // What the script before it has bound can be set free.
  await run(so.client, 'so.setProperty("g3", { here: true })');

  // Dead, and the next one is a while away.
  await dieUntilItWaits(server, at, so.client);
  const dead = server.log.mark;
  await guests[2]!.close();
  await so.holds({ g3: here });
  await guests[3]!.close();
  await so.setAndWait('end', 1);
  await so.holds({ g3: here, end: 1 });
  expect(server.log.entries.slice(dead).some((r) => r.message.startsWith('started again'))).toBe(false);
});

test('what its client has still to be allowed does not bring it back', async () => {
  const at = newRoom('asked');
  const so = await person(at);
  for (let round = 0; round < 5; round++) {
    const guest = await person(at, 3);
    await come(guest.client, 'guest');
    await so.holds(round === 0 ? { guest: here } : { guest: here, other: round - 1 });
    const busy = run(so.client, 'for (let i = 0; i < 3e7; i++);');
    guest.set('guest', { here: 'still' });
    guest.change({ set: { other: round, no: 1 } });
    await guest.client.createStream();
    await guest.client.close();
    await busy;
    await so.holds({ other: round });
    expect(await run(so.client, 'return { ...so.data }')).toEqual({ other: round });
  }
});
