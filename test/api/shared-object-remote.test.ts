import { afterAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/journal.ts';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { TestServer, useServer } from '../support/server.ts';
import { RemoteSharedObject } from '../support/shared-object.ts';

/** Has the objects. What a connection may do is its argument. */
const OWNER = {
  'main.js': `${runsCode}
    application.onConnect = (client, rights) => {
      if (rights === 'reads') client.writeAccess = '';
      if (rights === 'nothing') client.readAccess = '';
      return true;
    };
    export {};`,
};

const far = await new TestServer({ apps: { owner: OWNER } }).ready();
afterAll(() => far.destroy());

const near = useServer({
  apps: {
    near: {
      'main.js': `${runsCode} export {};`,
      'app.json': JSON.stringify({ connect: { hosts: [new URL(far.rtmp).host], apps: ['owner'] } }),
    },
    owner: OWNER,
  },
});

/** For both sides: \`so\` and what it has heard, on \`application\`. */
const listens = `
  const listen = (so) => {
    const heard = [];
    const statuses = [];
    so.onSync = (list) => void heard.push(...list.map(({ code, name, oldValue }) => [code, name, oldValue]));
    so.onStatus = (info) => void statuses.push(info.code);
    so.say = (...args) => void heard.push(['say', ...args]);
    Object.assign(application, { so, heard, statuses });
  };
  const until = async (is) => { while (!is()) await new Promise((go) => setTimeout(go, 5)); };`;

let rooms = 0;

describe.each([
  ['over a socket', () => `${far.rtmp}/owner/`, () => far],
  ['on the same server', () => 'rtmp:/owner/', () => near],
])('%s', (_, to, server) => {
  /** An instance that has the object `board` of an owner of its own, and clients of both. */
  async function scene({ rights = '', persistence = false, before = '' } = {}) {
    const room = `room${++rooms}`;
    const owner = await connect(`${server().rtmp}/owner/${room}`);
    await run(owner, `${listens} listen(SharedObject.get('board', args[0])); ${before}`, persistence);
    const client = await connect(`${near.rtmp}/near/${room}`);
    const code = `${listens}
      const nc = application.nc = new NetConnection();
      nc.connect(args[0], args[1]);
      listen(SharedObject.get('board', args[2], nc));
      application.isWhole = false;
      const { onSync } = application.so;
      application.so.onSync = (list) => { application.isWhole = true; onSync(list); };
      return (async () => { await until(() => application.isWhole || application.statuses.length > 0); })();`;
    await run(client, code, to() + room, rights, persistence);
    const there = (text: string) => run(owner, `const { so } = application; return ${text};`);
    const here = (text: string) =>
      run(
        client,
        `${listens} const { so, heard, statuses } = application; return (async () => { ${text} })();`,
      );
    return { room, owner, client, there, here };
  }

  test('SO-33: a change is asked for at the owner, and in the copy once that has made it', async () => {
    const { there, here } = await scene();
    const code = `
      so.setProperty('x', 1);
      const before = so.getProperty('x');
      await until(() => heard.length > 0);
      return [before, so.getProperty('x'), so.version, heard];`;
    expect(await here(code)).toEqual([undefined, 1, 2, [['success', 'x', undefined]]]);
    expect(await there('[so.getProperty("x"), so.version]')).toEqual([1, 2]);
  });

  test('SO-33: what others change comes with the old value, and deletes and clears do', async () => {
    const { there, here } = await scene({ before: 'application.so.setProperty("x", 1);' });
    await there('so.setProperty("x", 2), so.setProperty("x", null), so.setProperty("y", 3), so.clear()');
    expect(await here('await until(() => heard.length === 5); return heard;')).toEqual([
      ['change', 'x', undefined],
      ['change', 'x', 1],
      ['delete', 'x', 2],
      ['change', 'y', undefined],
      ['clear', '', undefined],
    ]);
    expect(await here('return so.size();')).toBe(0);
  });

  test('SO-33: deleting and clearing go to the owner', async () => {
    const { there, here } = await scene({
      before: 'for (const name of ["x", "y", "z"]) application.so.setProperty(name, 1);',
    });
    await here('so.setProperty("x", null); await until(() => so.size() === 2);');
    expect(await there('so.getPropertyNames()')).toEqual(['y', 'z']);
    expect(await here('return heard.at(-1);')).toEqual(['success', 'x', 1]);
    await here('so.clear(); await until(() => so.size() === 0);');
    expect(await there('so.size()')).toBe(0);
  });

  test('SO-33: what the owner does not allow comes back as reject, with what the slot holds', async () => {
    const { here } = await scene({
      before: 'application.so.authorize = ({ value }) => value < 10; application.so.setProperty("x", 1);',
    });
    const code = `
      so.setProperty('x', 10);
      so.setProperty('new', 11);
      so.setProperty('x', 2);
      await until(() => heard.length === 4);
      return [heard, so.getProperty('x'), so.size()];`;
    expect(await here(code)).toEqual([
      [
        ['change', 'x', undefined],
        ['reject', 'x', 1],
        ['reject', 'new', undefined],
        ['success', 'x', 1],
      ],
      2,
      1,
    ]);
  });

  test('SO-33: a connection that may not write hears NoWriteAccess, and one that may not read NoReadAccess', async () => {
    const reader = await scene({ rights: 'reads', before: 'application.so.setProperty("x", 1);' });
    const code = `so.setProperty('x', 2); await until(() => statuses.length > 0); return [heard, statuses, so.getProperty('x')];`;
    expect(await reader.here(code)).toEqual([
      [
        ['change', 'x', undefined],
        ['reject', 'x', 1],
      ],
      ['SharedObject.NoWriteAccess'],
      1,
    ]);
    const stranger = await scene({ rights: 'nothing' });
    expect(await stranger.here('return statuses;')).toEqual(['SharedObject.NoReadAccess']);
    const client = new RemoteSharedObject(stranger.client, 'board');
    // Who asks now waits until the script has another connection.
    client.send([{ type: 1 }]);
    await stranger.here(`
      const nc = new NetConnection();
      nc.connect(application.nc.uri);
      SharedObject.get('board', false, nc);
      await until(() => application.isWhole);`);
    await eventually('the content', () => client.isConnected);
  });

  test('SO-33: lock and unlock return -1; what is the business of the owner says so', async () => {
    const { client, here } = await scene();
    expect(await here('return [so.lock(), so.unlock(), so.isDirty, so.flush()];')).toEqual([
      -1,
      -1,
      false,
      false,
    ]);
    const members = {
      authorize: 'so.authorize = () => true',
      transaction: 'so.transaction(() => {})',
      saved: 'so.saved()',
      purge: 'so.purge(1)',
      autoCommit: 'so.autoCommit = true',
      resyncDepth: 'so.resyncDepth = 1',
      setProperty: 'so.setProperty("x", 1, { until: client })',
    };
    for (const [member, code] of Object.entries(members))
      await expect(run(client, `const { so } = application; ${code}`), member).rejects.toThrow(
        `so.${member}: the shared object "board" belongs to another instance, which alone can do that`,
      );
  });

  test('SO-33: a lock of the owner keeps changes waiting', async () => {
    const { there, here } = await scene();
    await there('so.lock()');
    await here('so.setProperty("x", 1);');
    // By the time of this answer the owner has the change.
    await here('await application.nc.invoke("run", "return 1");');
    expect(await here('return heard;')).toEqual([]);
    await there('[so.setProperty("x", "first"), so.unlock()]');
    expect(await here('await until(() => heard.length === 2); return heard;')).toEqual([
      ['change', 'x', undefined],
      ['success', 'x', 'first'],
    ]);
    expect(await there('so.getProperty("x")')).toBe(1);
  });

  test('SO-33: send reaches all who have it, on both sides', async () => {
    const { owner, client, there, here } = await scene();
    const [a, b] = await Promise.all(
      [owner, client].map((each) => new RemoteSharedObject(each, 'board').connect()),
    );
    await there('so.send("say", "owner")');
    await here('so.send("say", "proxy");');
    a!.change({ send: ['say', 'a'] });
    await eventually('the three', () => b!.syncs.entries.flatMap(({ sends }) => sends).length === 3);
    b!.change({ send: ['say', 'b'] });
    for (const each of [a!, b!]) {
      await eventually('all', () => each.syncs.entries.flatMap(({ sends }) => sends).length === 4);
      const sends = each.syncs.entries.flatMap(({ sends }) => sends);
      expect(sends.map(([, who]) => who).sort()).toEqual(['a', 'b', 'owner', 'proxy']);
    }
    // The owner's script does not hear itself; to it the other instance is a client like others.
    await eventually('the owner', async () => ((await there('application.heard')) as unknown[]).length === 3);
    expect(
      ((await here('await until(() => heard.length === 4); return heard;')) as string[][])
        .map(([, who]) => who)
        .sort(),
    ).toEqual(['a', 'b', 'owner', 'proxy']);
  });

  test('SO-33: clients of both sides see the same, and whose change it was the script hears of its own', async () => {
    const { owner, client, here } = await scene();
    const [a, b] = await Promise.all(
      [owner, client].map((each) => new RemoteSharedObject(each, 'board').connect()),
    );
    expect(await b!.setAndWait('x', { deep: [1, 'ü', null] })).toEqual({ code: 'success', name: 'x' });
    await a!.holds({ x: { deep: [1, 'ü', null] } });
    a!.set('y', 2);
    await b!.holds({ x: { deep: [1, 'ü', null] }, y: 2 });
    await here('so.onSync = ([{ client }]) => { application.by = client?.id; };');
    await b!.setAndWait('z', 3);
    expect(await run(client, 'return application.by === client.id')).toBe(true);
  });

  test('SO-33: a persistent object is on the disk of its owner, and the temporary one of its name another', async () => {
    const { room, owner, there, here } = await scene({ persistence: true });
    await here('so.setProperty("x", 1); await until(() => heard.length > 0);');
    expect(await there('[so.flush(), SharedObject.get("board").size()]')).toEqual([true, 0]);
    expect(await run(owner, 'return SharedObject.get("board", true).getProperty("x")')).toBe(1);
    const storedBy = async (app: string) =>
      (await fetch(`${server().http}/api/shared-objects?app=${app}`)).text();
    expect(await storedBy('owner')).toContain(room);
    expect(await storedBy('near')).not.toContain(room);
  });

  test('SO-09: close ends a proxy: clients keep what they have, and cannot change it', async () => {
    const { client, there, here } = await scene({ before: 'application.so.setProperty("x", 1);' });
    const object = await new RemoteSharedObject(client, 'board').connect();
    await object.holds({ x: 1 });
    await here('so.close();');
    expect(await object.setAndWait('x', 2)).toMatchObject({ code: 'reject' });
    await there('so.setProperty("x", 3)');
    expect(await here('try { so.setProperty("x", 4); } catch (error) { return error.message; }')).toBe(
      'so.setProperty: the shared object "board" is closed',
    );
    await object.holds({ x: 1 });
    // The name stays what it is while somebody has it.
    await here(`SharedObject.get('board', false, application.nc);`);
    await object.holds({ x: 3 });
  });

  test('SO-01: get gives the same object each time; a connection that is closed, or none, is refused', async () => {
    const { client, here } = await scene();
    expect(
      await here(
        `return [SharedObject.get('board') === so, SharedObject.get('board', false, application.nc) === so];`,
      ),
    ).toEqual([true, true]);
    await expect(run(client, 'SharedObject.get("other", false, {})')).rejects.toThrow(
      'SharedObject.get: expected a NetConnection, got',
    );
    await expect(run(client, 'SharedObject.get("other", false, new NetConnection())')).rejects.toThrow(
      'SharedObject.get: the NetConnection is not connected: call its connect first',
    );
  });

  test('SO-33: an object of the server stays its own: what is open as one cannot be got from elsewhere', async () => {
    const { client } = await scene();
    await expect(
      run(client, 'SharedObject.get("mine"); SharedObject.get("mine", false, application.nc)'),
    ).rejects.toThrow('SharedObject.get: "mine" is open already, as an object of this instance');
  });
});
