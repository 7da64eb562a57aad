import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runMain, startServer } from '../support/server.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'stagewire-cli-'));
const file = (content: string) => {
  const path = join(folder(), 'file');
  writeFileSync(path, content);
  return path;
};
const apps = folder();
const data = join(folder(), 'data');
const there = ['--apps', apps, '--data', data];

const wrong = [
  { name: 'an unknown flag', args: ['--aps', '.'], says: ['--aps', '--apps'] },
  { name: 'a port that is none', args: [...there, '--rtmp', '70000'], says: ['--rtmp', '70000'] },
  {
    name: 'a missing folder',
    args: ['--apps', '/nowhere/at/all'],
    says: ['/nowhere/at/all', 'does not exist'],
  },
  { name: 'a configuration that is no JSON', args: [...there, '--config', file('{')], says: ['is not JSON'] },
  {
    name: 'an unknown limit',
    args: [...there, '--config', file('{"limits":{"handlerms":5}}')],
    says: ['handlerms', 'limits.handlerMs'],
  },
  { name: 'a short token', args: [...there, '--admin-token-file', file('short')], says: ['16'] },
];
for (const { name, args, says } of wrong) {
  test(`${name}: one clear line and exit code 2`, async () => {
    const { code, output, errors } = await runMain(...args);
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(errors.trimEnd().split('\n')).toHaveLength(1);
    for (const text of says) expect(errors).toContain(text);
  });
}

for (const flag of ['--rtmp', '--http']) {
  test(`${flag} with a port in use: one clear line and exit code 1`, async () => {
    const occupier = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void occupier.close());
    await new Promise((resolve) => occupier.once('listening', resolve));
    const { port } = occupier.address() as { port: number };
    const { code, output, errors } = await runMain(
      ...there,
      '--rtmp',
      '0',
      '--http',
      '0',
      flag,
      String(port),
    );
    expect({ code, output }).toEqual({ code: 1, output: '' });
    expect(errors.trimEnd().split('\n')).toHaveLength(1);
    expect(errors).toContain(`127.0.0.1:${port}`);
    expect(errors).toContain('another program uses that port');
  });
}

test('--help and --version print and leave with 0', async () => {
  const help = await runMain('--help');
  expect(help).toMatchObject({ code: 0, errors: '' });
  for (const flag of ['--apps', '--data', '--rtmp', '--http', '--log', '--config'])
    expect(help.output).toContain(flag);
  const version = await runMain('--version');
  expect(version.output).toMatch(/\d+\.\d+\.\d+/);
});

test('pretty mode prints the ready line once, then each application with what to try', async () => {
  const server = await startServer({
    log: 'pretty',
    apps: { one: { 'main.ts': '' }, two: { 'main.ts': 'oops(' } },
  });
  await server.waitForLog('--rtmp 0.0.0.0');
  const ready = server.output.match(
    /^stagewire ready rtmp:\/\/127\.0\.0\.1:\d+ http:\/\/127\.0\.0\.1:\d+$/gm,
  );
  expect(ready).toHaveLength(1);
  expect(server.output).toMatch(/^ {2}playground {2}http:\/\/127\.0\.0\.1:\d+\/$/m);
  expect(server.output).toContain(`ffmpeg -re -i`);
  expect(server.output).toContain(`${server.rtmp}/one`);
  expect(server.output).toMatch(/OBS\s+Server .*\/one\s+Stream key/);
  expect(server.output).toMatch(/two {2}\(no build yet/);
  expect(server.output).toContain('oops(');
  await server.stop();
});
