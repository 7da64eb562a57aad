import { renameSync } from 'node:fs';
import {
  appendFile,
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AppBuilder } from '../../../host/apps/builder.ts';
import { AppWatcher, Coalescer } from '../../../host/apps/watcher.ts';
import { ManualClock } from '../../../host/base/clock.ts';

describe('coalescing', () => {
  let clock: ManualClock;
  let fired: number[];
  let changes: Coalescer;

  beforeEach(() => {
    clock = new ManualClock();
    fired = [];
    changes = new Coalescer(clock, 100, () => fired.push(clock.monotonic()));
  });

  function touchEvery(ms: number, times: number): void {
    for (let i = 0; i < times; i++) {
      changes.touch();
      clock.advance(ms);
    }
  }

  test('the first change fires at once, alone', () => {
    changes.touch();
    expect(fired).toEqual([0]);
    clock.advance(1000);
    expect(fired).toEqual([0]);
    expect(clock.pending).toBe(0);
  });

  test('what follows closely fires once, after quiet', () => {
    touchEvery(10, 5);
    expect(fired).toEqual([0]);
    clock.advance(1000);
    expect(fired).toEqual([0, 140]);
  });

  test('changes far apart fire at once each', () => {
    touchEvery(200, 3);
    expect(fired).toEqual([0, 200, 400]);
  });

  test('writing without pause cannot hold a change for ever', () => {
    touchEvery(50, 100);
    expect(fired.length).toBeGreaterThan(3);
  });

  test('cancelling forgets what is held', () => {
    touchEvery(10, 2);
    changes.cancel();
    clock.advance(1000);
    expect(fired).toEqual([0]);
  });
});

describe('watching real folders', () => {
  let root: string;
  let apps: string;
  let watcher: AppWatcher;
  let events: string[];

  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'stagewire-watcher-')));
    apps = join(root, 'apps');
    await mkdir(join(apps, 'chat/lib'), { recursive: true });
    await mkdir(join(apps, 'probe'));
    await writeFile(join(apps, 'chat/main.ts'), 'import "./lib/a.ts";');
    await writeFile(join(apps, 'chat/lib/a.ts'), 'export {};');
    await writeFile(join(apps, 'probe/main.ts'), '');
  });

  afterEach(async () => {
    await watcher.close();
    await rm(root, { recursive: true, force: true });
  });

  async function start(bounds: { maxEntries?: number; maxEvents?: number } = {}): Promise<void> {
    // A quiet time of 1 ms: how events are held is tested above, without a file system.
    watcher = new AppWatcher(apps, { quietMs: 1, ...bounds });
    events = [];
    for (const event of ['added', 'removed', 'changed'] as const) {
      watcher.on(event, (app) => events.push(`${event} ${app}`));
    }
    watcher.on('refused', (name, reason) => events.push(`refused ${name}: ${reason}`));
    watcher.on('problem', (error) => events.push(error.message));
    await watcher.start();
    watcher.setInputs('chat', [join(apps, 'chat/main.ts'), join(apps, 'chat/lib/a.ts')]);
    watcher.setInputs('probe', []);
  }

  async function until(event: string): Promise<void> {
    await vi.waitFor(() => expect(events).toContain(event), { timeout: 20_000, interval: 5 });
  }

  /** Waits until a later change has come through, so that what was not reported by then never will be. */
  async function settled(): Promise<string[]> {
    const before = events.length;
    await vi.waitFor(
      async () => {
        await appendFile(join(apps, 'probe/main.ts'), '//\n');
        expect(events.slice(before)).toContain('changed probe');
      },
      { timeout: 20_000, interval: 50 },
    );
    return events.filter((event) => event !== 'changed probe');
  }

  async function replace(file: string, text: string): Promise<void> {
    await writeFile(`${file}.tmp`, text);
    await rename(`${file}.tmp`, file);
  }

  test('the apps that exist at the start are known without events', async () => {
    await start();
    expect(watcher.apps).toEqual(['chat', 'probe']);
    expect(await settled()).toEqual([]);
  });

  const saves = [
    { name: 'written in place', save: (file: string) => writeFile(file, 'let a = 1;') },
    { name: 'appended to', save: (file: string) => appendFile(file, 'let a = 1;') },
    { name: 'replaced by a rename', save: (file: string) => replace(file, 'let a = 1;') },
    { name: 'deleted', save: (file: string) => unlink(file) },
    {
      name: 'backed up and written anew',
      save: async (file: string) => {
        await rename(file, `${file}~`);
        await writeFile(file, 'let a = 1;');
      },
    },
  ];

  for (const { name, save } of saves) {
    test(`a main file that is ${name} changes its app`, async () => {
      await start();
      await save(join(apps, 'chat/main.ts'));
      await until('changed chat');
    });

    test(`an imported file that is ${name} changes its app`, async () => {
      await start();
      await save(join(apps, 'chat/lib/a.ts'));
      await until('changed chat');
    });
  }

  test('a file that is replaced by renames is seen every time', async () => {
    await start();
    for (let i = 0; i < 5; i++) {
      events.length = 0;
      await replace(join(apps, 'chat/main.ts'), `// ${i}`);
      await until('changed chat');
    }
  });

  test('what the script does not depend on changes nothing', async () => {
    await start();
    for (const folder of ['streams', 'sharedobjects', 'public', 'node_modules', 'lib']) {
      await mkdir(join(apps, 'chat', folder), { recursive: true });
      await writeFile(join(apps, 'chat', folder, 'other.ts'), '');
    }
    for (const name of ['other.ts', '.main.ts.swp', 'main.ts~', '4913', 'README.md', '#main.ts#']) {
      await writeFile(join(apps, 'chat', name), '');
    }
    expect(await settled()).toEqual([]);
  });

  test('a new main file of any kind changes its app', async () => {
    await start();
    await writeFile(join(apps, 'chat/main.asc'), '');
    await until('changed chat');
  });

  test('after a failed build any source file may be the missing one', async () => {
    await start();
    watcher.setInputs('chat', [], { failed: true });
    await writeFile(join(apps, 'chat/notes.pdf'), '');
    expect(await settled()).toEqual([]);
    await writeFile(join(apps, 'chat/lib/b.ts'), '');
    await until('changed chat');
  });

  test('inputs outside the folder and in packages count, as long as they are inputs', async () => {
    const shared = join(root, 'shared.ts');
    const installed = join(apps, 'chat/node_modules/p/index.js');
    await mkdir(join(apps, 'chat/node_modules/p'), { recursive: true });
    await writeFile(shared, '');
    await writeFile(installed, '');
    await start();
    for (const file of [shared, installed]) {
      watcher.setInputs('chat', [file]);
      // The watch of a single file begins a moment after it is asked for.
      await vi.waitFor(
        async () => {
          await replace(file, String(performance.now()));
          expect(events).toContain('changed chat');
        },
        { timeout: 20_000, interval: 100 },
      );
      watcher.setInputs('chat', []);
      await settled();
      events.length = 0;
      await replace(file, '// unwatched');
      expect(await settled()).toEqual([]);
    }
  });

  test('an input in the folder of another app counts', async () => {
    await start();
    watcher.setInputs('probe', [join(apps, 'chat/lib/a.ts')]);
    await writeFile(join(apps, 'chat/lib/a.ts'), 'let a = 1;');
    await until('changed probe');
    await until('changed chat');
  });

  test('folders that come and go are apps that are added and removed', async () => {
    await start();
    await mkdir(join(apps, 'game'));
    await until('added game');
    await writeFile(join(apps, 'game/main.js'), '');
    await until('changed game');
    events.length = 0;
    await rm(join(apps, 'game'), { recursive: true });
    await until('removed game');
    expect(watcher.apps).toEqual(['chat', 'probe']);
    expect(await settled()).toEqual(['removed game']);
  });

  test('a folder that another takes the place of has changed, and was not removed', async () => {
    await start();
    await mkdir(join(root, 'newer/lib'), { recursive: true });
    await writeFile(join(root, 'newer/main.ts'), 'newer();');
    await writeFile(join(root, 'newer/lib/a.ts'), '');
    await rename(join(apps, 'chat'), join(root, 'older'));
    await new Promise((done) => setTimeout(done, 50)); // it is seen that it has gone
    await rename(join(root, 'newer'), join(apps, 'chat'));
    await until('changed chat');
    await new Promise((done) => setTimeout(done, 800)); // it would be given up by now
    expect(new Set(await settled())).toEqual(new Set(['changed chat']));
    events.length = 0;
    await appendFile(join(apps, 'chat/lib/a.ts'), '// more');
    await until('changed chat');
    expect(watcher.apps).toEqual(['chat', 'probe']);
  });

  test('a folder that is renamed is one app gone and one come', async () => {
    await start();
    await rename(join(apps, 'chat'), join(apps, 'talk'));
    await until('removed chat');
    await until('added talk');
  });

  test('folders with names that no app can have are refused with the reason', async () => {
    await mkdir(join(apps, 'metrics'));
    await start();
    for (const name of ['api', '.git', 'node_modules']) await mkdir(join(apps, name));
    await writeFile(join(apps, 'api/main.ts'), '');
    await until('refused api: the HTTP API is served under /api');
    expect(await settled()).toEqual([
      'refused metrics: metrics are served under /metrics',
      'refused api: the HTTP API is served under /api',
    ]);
    expect(watcher.apps).toEqual(['chat', 'probe']);
  });

  test('a link to a folder is not followed: it may lead to all there is on the machine', async () => {
    await mkdir(join(root, 'elsewhere/deep'), { recursive: true });
    await symlink(join(root, 'elsewhere'), join(apps, 'chat/before'));
    await symlink(join(root, 'elsewhere'), join(apps, 'chat/main.js'));
    await start();
    watcher.setInputs('chat', [], { failed: true });
    await symlink(join(root, 'elsewhere'), join(apps, 'chat/after'));
    await settled();
    await writeFile(join(root, 'elsewhere/deep/a.ts'), '');
    expect(await settled()).toEqual([]);
    await writeFile(join(root, 'elsewhere/main.ts'), '');
    await symlink(join(root, 'elsewhere/main.ts'), join(apps, 'chat/main.asc'));
    await until('changed chat');
  });

  test('of an application with very many files some are watched, and always what it begins with', async () => {
    await start({ maxEntries: 20 });
    for (let n = 0; n < 40; n++) await writeFile(join(apps, `chat/main.${n}`), 'x');
    await vi.waitFor(() => expect(events.join()).toContain('chat has more than 20 files and folders'), {
      timeout: 20_000,
    });
    expect(events.filter((event) => event.includes('more than'))).toHaveLength(1);
    await writeFile(join(apps, 'chat/app.json'), '{}');
    await until('changed chat');
    events.length = 0;
    for (let n = 0; n < 40; n++) await rm(join(apps, `chat/main.${n}`));
    await settled();
    watcher.setInputs('chat', [], { failed: true });
    await vi.waitFor(
      async () => {
        await writeFile(join(apps, `chat/lib/${Math.random()}.ts`), 'x');
        expect(events).toContain('changed chat');
      },
      { timeout: 20_000, interval: 100 },
    );
  });

  test('an app folder that is a symbolic link is watched where it leads', async () => {
    await mkdir(join(root, 'real/lib'), { recursive: true });
    await writeFile(join(root, 'real/lib/a.ts'), '');
    await symlink(join(root, 'real'), join(apps, 'linked'));
    await start();
    expect(watcher.apps).toContain('linked');
    watcher.setInputs('linked', [join(root, 'real/lib/a.ts')]);
    await writeFile(join(root, 'real/lib/a.ts'), 'let a = 1;');
    await until('changed linked');
  });

  test('when too much happens at once watching pauses, and then says what has changed meanwhile', async () => {
    await start({ maxEvents: 50 });
    // All in one piece: the event loop finds a hundred news at once.
    for (let n = 0; n < 50; n++) {
      renameSync(join(apps, 'chat/lib'), join(apps, 'chat/other'));
      renameSync(join(apps, 'chat/other'), join(apps, 'chat/lib'));
    }
    await until(`watching ${apps}: too much happens at once: what has changed is looked for in 1 s`);
    await rm(join(apps, 'probe'), { recursive: true });
    await mkdir(join(apps, 'late'));
    await writeFile(join(apps, 'late/main.ts'), '');
    for (const event of ['added late', 'removed probe', 'changed chat']) await until(event);
    expect(watcher.apps).toEqual(['chat', 'late']);

    // And from then on as before.
    await vi.waitFor(() => {
      const { length } = events;
      events.length = 0;
      expect(length).toBe(0);
    });
    await replace(join(apps, 'chat/lib/a.ts'), 'export const b = 1;');
    await until('changed chat');
  });

  test('after closing nothing is reported', async () => {
    await start();
    await watcher.close();
    await watcher.close();
    await writeFile(join(apps, 'chat/main.ts'), '');
    expect(events).toEqual([]);
  });

  for (const { name, save } of saves.filter(({ name }) => name !== 'deleted')) {
    test(`an app whose import is ${name} is built anew from what was saved`, async () => {
      await start();
      const builder = new AppBuilder(join(apps, 'chat'));
      try {
        await writeFile(join(apps, 'chat/main.ts'), 'export * from "./lib/a.ts"; export const main = 1;');
        watcher.setInputs('chat', (await builder.build()).inputs);
        const codes: string[] = [];
        watcher.on('changed', (app) => {
          if (app === 'chat') void builder.build().then(({ code }) => codes.push(code));
        });
        await save(join(apps, 'chat/lib/a.ts'));
        await appendFile(join(apps, 'chat/lib/a.ts'), '\nexport const saved = "yes";');
        await vi.waitFor(() => expect(codes.at(-1)).toContain('saved = "yes"'), { timeout: 20_000 });
      } finally {
        await builder.dispose();
      }
    });
  }
});
