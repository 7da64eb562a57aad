import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { FlvClient, refusedFlv } from '../support/flv-client.ts';
import { eventually, inTime } from '../support/journal.ts';
import { keyFrame } from '../support/media.ts';
import { makeClip, packetsOf, publishFile, RunningTool, scratchFolder } from '../support/media-tools.ts';
import { connect } from '../support/rtmp-client.ts';
import { runMain, startServer, useServer } from '../support/server.ts';
import { certificate, privateKey, renewed } from '../support/tls.ts';
import { requireTools } from '../support/tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'stagewire-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The server has looked at a file and read it. */
const WATCHED_MS = 2000;

/** Files of a certificate and its key. */
function files(name: string, cert = certificate, key = privateKey): { certificate: string; key: string } {
  const paths = { certificate: join(folder, `${name}.cert.pem`), key: join(folder, `${name}.key.pem`) };
  writeFileSync(paths.certificate, cert);
  writeFileSync(paths.key, key);
  return paths;
}

const script = `
application.onConnect = (client) => {
  trace(client.protocol + ' ' + client.secure);
  return true;
};
`;
const server = useServer({
  apps: { live: { 'README.md': 'no script' }, seen: { 'main.ts': script } },
  tls: files('common'),
});

test('ffmpeg publishes to rtmps and plays from it, packet for packet', async (context) => {
  requireTools(context, 'ffmpeg', 'ffprobe');
  const scratch = scratchFolder();
  const clip = await makeClip(scratch, 3);
  const copy = join(scratch, 'copy.flv');
  const url = `${server.rtmps}/live/room/clip`;
  const player = new RunningTool('ffmpeg', ['-v', 'error', '-i', url, '-t', '2', '-c', 'copy', copy]);
  await eventually('a viewer', async () => (await server.health()).connections === 1);
  const publisher = publishFile(clip, url);
  expect(await player.end()).toMatchObject({ code: 0, errors: '' });
  expect(await publisher.end()).toMatchObject({ code: 0, errors: '' });
  const sizes = async (file: string) =>
    (await packetsOf(file)).filter(({ codec_type }) => codec_type === 'video').map(({ size }) => size);
  const got = await sizes(copy);
  expect(got.length).toBeGreaterThan(30);
  expect(got).toEqual((await sizes(clip)).slice(0, got.length));
});

test('a script sees that a connection is secure; who publishes in plain text is seen over https and wss', async () => {
  const publisher = await (await connect(`${server.rtmp}/seen`)).createStream();
  await publisher.publish('cam');
  publisher.video(0, keyFrame(1));
  await publisher.settled();
  await connect(`${server.rtmps}/seen`, { ca: certificate });
  for (const url of [`${server.https}/seen/cam.flv`, `${server.https.replace('http', 'ws')}/seen/cam.flv`]) {
    const viewer = await FlvClient.open(url);
    await viewer.waitFor(keyFrame(1));
  }
  await server.expectTraces('seen/_definst_', ['rtmp false', 'rtmps true', 'http true', 'ws true']);
});

test('https answers as http does: one request a connection, the API for this machine only', async () => {
  const get = (path: string, headers = {}) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const options = { ca: certificate, servername: 'api.test', agent: false, headers };
      const asked = request(`${server.https}${path}`, options, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      asked.on('error', reject).end();
    });
  expect((await get('/healthz')).status).toBe(200);
  expect((await get('/api/instances')).status).toBe(200);
  expect((await get('/api/instances', { Host: 'example.com' })).status).toBe(403);
  expect((await get('/metrics')).text).toContain('stagewire_connections');
  expect(await refusedFlv(`${server.https}/nothing/cam.flv`)).toMatchObject({ status: 404 });

  const { hostname, port } = new URL(server.https);
  const socket = connectTls({ host: hostname, port: Number(port), ca: certificate });
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  socket.on('error', () => {});
  const ask = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  socket.write(ask + ask);
  await inTime('its end', new Promise((resolve) => socket.once('close', resolve)));
  expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 400']);
});

test('a new certificate is taken over, a broken one is not, and connections go on', async () => {
  const paths = files('changing');
  const own = await startServer({ apps: { live: { 'README.md': '' } }, tls: paths });
  const client = await connect(`${own.rtmps}/live`, { ca: certificate });
  const publisher = await client.createStream();
  await publisher.publish('cam');
  publisher.video(0, keyFrame(1));
  await publisher.settled();
  const viewer = await FlvClient.open(`${own.https}/live/cam.flv`);
  await viewer.waitFor(keyFrame(1));

  writeFileSync(paths.certificate, 'no certificate');
  const broken = await own.waitForLog((r) => r.code === 'E_CERTIFICATE');
  expect(broken.message).toBe(
    `${paths.certificate} holds no certificate in PEM format; the server goes on with the certificate it has`,
  );
  expect(await nameAt(own.rtmps)).toBe('api.test');

  // As those who renew them do: a new file in the place of the old one.
  writeFileSync(`${paths.certificate}.new`, renewed.certificate);
  writeFileSync(`${paths.key}.new`, renewed.privateKey);
  renameSync(`${paths.certificate}.new`, paths.certificate);
  renameSync(`${paths.key}.new`, paths.key);
  await own.waitForLog(`a new certificate from ${paths.certificate}, good until`);
  expect(await nameAt(own.rtmps)).toBe('renewed.test');
  expect(await nameAt(own.https)).toBe('renewed.test');

  publisher.video(40, keyFrame(2));
  await viewer.waitFor(keyFrame(2));
  expect(client.isClosed).toBe(false);
});

test('whatever comes in the place of a certificate is told once, and the server goes on with the one it has', async () => {
  const paths = files('attacked');
  const own = await startServer({ apps: { live: { 'README.md': '' } }, tls: paths });
  const complaints = () => own.log.entries.filter((r) => r.code === 'E_CERTIFICATE').map((r) => r.message);
  const part = (text: string) => text.slice(0, text.length / 2);
  const attacks: { name: string; says: string; attack(): void }[] = [
    { name: 'half of it', says: 'holds no certificate', attack: () => replace(part(renewed.certificate)) },
    { name: 'that of another key', says: 'is not that of', attack: () => replace(renewed.certificate) },
    { name: 'nothing at all', says: 'ENOENT', attack: () => rmSync(paths.certificate) },
    { name: 'a folder', says: 'it is no plain file', attack: () => mkdirSync(paths.certificate) },
    {
      name: 'a pipe, which nobody writes to',
      says: 'it is no plain file',
      attack: () => {
        rmSync(paths.certificate, { recursive: true });
        replace('x');
        execFileSync('mkfifo', [`${paths.certificate}.pipe`]);
        renameSync(`${paths.certificate}.pipe`, paths.certificate);
      },
    },
    { name: 'a device without end', says: 'it is no plain file', attack: () => link('/dev/zero') },
    { name: 'too long a file', says: 'it has 2000000 bytes', attack: () => replace('x'.repeat(2_000_000)) },
    { name: 'a link to itself', says: 'ELOOP', attack: () => link(paths.certificate) },
  ];
  const replace = (text: string) => {
    writeFileSync(`${paths.certificate}.new`, text);
    renameSync(`${paths.certificate}.new`, paths.certificate);
  };
  const link = (to: string) => {
    rmSync(paths.certificate, { force: true });
    symlinkSync(to, paths.certificate);
  };
  for (const { name, says, attack } of attacks) {
    attack();
    await eventually(`a complaint about ${name}`, () => complaints().at(-1)?.includes(says) === true);
    expect(await nameAt(own.https)).toBe('api.test');
  }
  // The same fault in other files is not told again.
  const isTold = () => complaints().filter((line) => line.includes('holds no certificate')).length;
  const before = isTold();
  for (let i = 0; i < 60; i++) {
    replace(`rubbish ${i}`);
    await setTimeout(50);
  }
  await eventually('a complaint about rubbish', () => isTold() > before);
  replace('more rubbish');
  await setTimeout(WATCHED_MS);
  expect(isTold()).toBe(before + 1);

  // After good ones it is.
  replace(certificate);
  await setTimeout(WATCHED_MS);
  replace('rubbish');
  await eventually('another complaint', () => isTold() === before + 2);
  replace(renewed.certificate);
  writeFileSync(paths.key, renewed.privateKey);
  await own.waitForLog(`a new certificate from ${paths.certificate}, good until`);
  expect(await nameAt(own.rtmps)).toBe('renewed.test');
});

/** Whose certificate a listener shows. */
async function nameAt(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false });
  await inTime('the handshake', new Promise((resolve) => socket.once('secureConnect', resolve)));
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

test('who does not shake hands is bounded in number and time', async () => {
  const own = await startServer({
    apps: { live: { 'README.md': '' } },
    tls: files('bounded'),
    limits: { connections: 3, handshakeMs: 1000 },
  });
  const { hostname, port } = new URL(own.rtmps);
  const silent = Array.from({ length: 10 }, () => {
    const socket = createConnection(Number(port), hostname).on('error', () => {});
    onTestFinished(() => void socket.destroy());
    return new Promise<void>((resolve) => socket.once('close', () => resolve()));
  });
  await own.waitForLog((r) => r.code === 'E_TOO_MANY_CONNECTIONS');
  await inTime('all of them to be closed', Promise.all(silent));
  // The server may hear of their end after they do.
  const enters = () =>
    connect(`${own.rtmps}/live`, { ca: certificate }).then(
      () => true,
      () => false,
    );
  await eventually('room for another', enters);

  const plain = createConnection(Number(port), hostname)
    .on('error', () => {})
    .resume();
  plain.write(Buffer.alloc(1537, 3));
  await inTime('its end', new Promise((resolve) => plain.once('close', resolve)));
  await own.waitForLog((r) => r.code === 'E_TLS' && r.level === 'warn');
  expect(own.log.entries.filter((r) => r.level === 'error')).toEqual([]);
});

const good = files('good');
const other = files('other', renewed.certificate, renewed.privateKey);
const noPem = files('nonsense', 'x', 'y');
const cases: { args: string[]; says: string }[] = [
  { args: ['--rtmps', '0'], says: '--rtmps needs a certificate: --tls-cert FILE and --tls-key FILE' },
  { args: ['--https', '0'], says: '--https needs a certificate: --tls-cert FILE and --tls-key FILE' },
  { args: ['--rtmps', '0', '--tls-cert', good.certificate], says: '--tls-cert is given without --tls-key' },
  { args: ['--https', '0', '--tls-key', good.key], says: '--tls-key is given without --tls-cert' },
  {
    args: ['--tls-cert', good.certificate, '--tls-key', good.key],
    says: '--tls-cert is for --rtmps and --https, and neither is given',
  },
  {
    args: ['--rtmps', '0', '--tls-cert', '/nowhere/cert.pem', '--tls-key', good.key],
    says: 'the certificate /nowhere/cert.pem cannot be read: ENOENT',
  },
  {
    args: ['--rtmps', '0', '--tls-cert', good.certificate, '--tls-key', '/nowhere/key.pem'],
    says: 'the key /nowhere/key.pem cannot be read: ENOENT',
  },
  {
    args: ['--rtmps', '0', '--tls-cert', good.certificate, '--tls-key', other.key],
    says: `the key in ${other.key} is not that of ${good.certificate}`,
  },
  {
    args: ['--rtmps', '0', '--tls-cert', noPem.certificate, '--tls-key', good.key],
    says: `${noPem.certificate} holds no certificate in PEM format`,
  },
  {
    args: ['--rtmps', '0', '--tls-cert', good.certificate, '--tls-key', noPem.key],
    says: `${noPem.key} holds no private key in PEM format`,
  },
  { args: ['--rtmps', '1935', '--rtmp', '1935'], says: '--rtmp and --rtmps are both 127.0.0.1:1935' },
];
for (const { args, says } of cases) {
  test(`${args.map((arg) => arg.replace(folder, '')).join(' ')} stops the start with one line`, async () => {
    const apps = join(folder, 'apps-none');
    const { code, output, errors } = await runMain(...args, '--apps', folder, '--data', apps);
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(errors).toContain(says);
    expect(errors.trim()).not.toContain('\n');
  });
}
