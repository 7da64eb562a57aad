import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { type Info, NetConnection } from '../../client/index.ts';
import { Journal } from '../support/journal.ts';
import { scratchFolder } from '../support/media-tools.ts';
import { codesOf, connectClient, openClient, status } from '../support/own-client.ts';
import { startServer, useServer } from '../support/server.ts';
import { certificate, privateKey } from '../support/tls.ts';

/** Rows of the API checklist on the client's NetConnection. */
const apps = {
  room: {
    'main.ts': `
      application.onConnect = () => true;
      Object.assign(Client.prototype, {
        echo(...args) { return args; },
        seen() { return [this.protocol, this.secure, this.uri]; },
        fails() { throw new Error('broken'); },
        ask(method, ...args) { return this.invoke(method, ...args); },
        tell(method, ...args) { this.call(method, null, ...args); },
        kick() { application.disconnect(this); },
      });`,
  },
};
const server = useServer({ apps });
const address = () => `${server.http}/room/one`;

test('CNC-06: connected says whether calls reach the server', async () => {
  const connection = openClient();
  expect(connection.connected).toBe(false);
  const connecting = connection.connect(address());
  expect(connection.connected).toBe(false);
  await connecting;
  expect(connection.connected).toBe(true);
  expect(() => Object.assign(connection, { connected: false })).toThrow(TypeError);
  const codes = codesOf(connection);
  void connection.call('kick');
  await status(codes, 'NetConnection.Connect.Closed');
  expect(connection.connected).toBe(false);
});

test('CNC-08: objectEncoding is 3, which the server is told, and values that only AMF3 has come and go', async () => {
  const connection = openClient();
  const info = await connection.connect(address());
  expect(connection.objectEncoding).toBe(3);
  expect(info.objectEncoding).toBe(3);
  const values = [new Uint8Array([1, 2]), new Map([['k', 1]]), new Float64Array([1.5])];
  expect(await connection.invoke('echo', ...values)).toEqual(values);
});

test('CNC-10: uri is the whole address, as the application has it', async () => {
  const connection = openClient();
  expect(connection.uri).toBe('');
  await connection.connect(`${address()}?x=1`);
  expect(connection.uri).toBe(`${address().replace('http', 'ws')}?x=1`);
  const [, , uri] = await connection.invoke<string[]>('seen');
  expect(connection.uri).toBe(uri);
  expect(() => Object.assign(connection, { uri: 'ws://other' })).toThrow(TypeError);
});

test('CNC-11: protocol is that of the address, as the application has it', async () => {
  const connection = openClient();
  expect(connection.protocol).toBe('');
  await connection.connect(address());
  expect(connection.protocol).toBe('ws');
  expect(await connection.invoke('seen')).toEqual(['ws', false, connection.uri]);
});

test('CNC-12: usingTLS says whether the connection is secure', async () => {
  const folder = scratchFolder();
  const tls = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  writeFileSync(tls.certificate, certificate);
  writeFileSync(tls.key, privateKey);
  const secure = await startServer({ apps, tls });
  const trusted = getCACertificates();
  setDefaultCACertificates([...trusted, certificate]);
  onTestFinished(() => setDefaultCACertificates(trusted));
  const connection = await connectClient(`${secure.https}/room/one`);
  expect(connection).toMatchObject({ usingTLS: true, protocol: 'wss' });
  expect(await connection.invoke('seen')).toEqual(['wss', true, connection.uri]);
  expect((await connectClient(address())).usingTLS).toBe(false);
});

test('CNC-17: onStatus and the event netStatus hear what becomes of the connection', async () => {
  const connection = openClient();
  const told: Info[] = [];
  const heard: Info[] = [];
  connection.onStatus = (info) => told.push(info);
  connection.addEventListener('netStatus', (event) => heard.push(event.info));
  await connection.connect(address());
  connection.close();
  expect(told).toMatchObject([
    { code: 'NetConnection.Connect.Success', level: 'status', description: expect.any(String) },
    { code: 'NetConnection.Connect.Closed', level: 'status', description: 'The connection was closed.' },
  ]);
  expect(heard).toEqual(told);
});

test('CNC-18: asyncError tells that a method which the server called is missing, or throws', async () => {
  const connection = await connectClient(address());
  const errors = new Journal<unknown>('errors', String);
  connection.addEventListener('asyncError', (event) => {
    event.preventDefault(); // nobody else is to see it
    errors.add(event.error);
  });
  const oops = new Error('oops');
  connection.client = {
    breaks() {
      throw oops;
    },
    async breaksLater() {
      throw oops;
    },
    works: () => 1,
  };
  await expect(connection.invoke('ask', 'missing')).rejects.toThrow('Method not found (missing).');
  await expect(connection.invoke('ask', 'breaks')).rejects.toThrow('oops');
  expect(await connection.invoke('ask', 'works')).toBe(1);
  expect(errors.entries).toEqual([new Error('Method not found (missing).'), oops]);
  // Nobody waits for an answer to these.
  const from = errors.mark;
  await connection.invoke('tell', 'breaksLater');
  await errors.waitFor('what was thrown', (error) => error === oops, from);
});

test('CNC-19: a transport that breaks is NetConnection.Connect.Closed, and why', async () => {
  const first = await startServer({ apps });
  const connection = await connectClient(`${first.http}/room/one`);
  connection.reconnectMs = 0;
  const statuses = new Journal<Info>('statuses', ({ code }) => code);
  connection.onStatus = (info) => statuses.add(info);
  first.kill('SIGKILL');
  const info = await statuses.waitFor('the end', ({ code }) => code === 'NetConnection.Connect.Closed');
  // The code that RFC 6455 has for it.
  expect(info.description).toContain('1006');
});

test('RSP-01: a responder takes the answer, or what went wrong', async () => {
  const connection = await connectClient(address());
  const heard: unknown[] = [];
  const responder = {
    onResult: (value: unknown) => heard.push(['result', value]),
    onStatus: ({ level, code, description }: Info) => heard.push([level, code, description]),
  };
  await connection.call('echo', responder, 1);
  await connection.call('fails', responder).catch(() => {});
  // Either may be left out.
  await connection.call('echo', { onStatus: responder.onStatus }, 2);
  await connection.call('fails', { onResult: responder.onResult }).catch(() => {});
  await new NetConnection().call('echo', responder).catch(() => {});
  expect(heard).toEqual([
    ['result', [1]],
    ['error', 'NetConnection.Call.Failed', expect.stringContaining('broken')],
    ['error', 'NetConnection.Call.Failed', 'No connection.'],
  ]);
});
