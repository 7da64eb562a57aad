import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { startServer, temporaryFolder } from '../support/server.ts';
import { certificate, privateKey, renewed } from '../support/tls.ts';

/** Connections of scripts over TLS: `rtmps://`. */
function writePair(name: string, pair: { certificate: string; privateKey: string }) {
  const folder = temporaryFolder();
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  writeFileSync(files.certificate, pair.certificate);
  writeFileSync(files.key, pair.privateKey);
  return files;
}

test('a server with a certificate that is trusted is connected to, and one that signs itself is refused with the reason', async () => {
  const far = {
    'main.js':
      'application.onConnect = (client) => { client.about = () => [client.secure, client.protocol]; return true; };',
  };
  const trusted = writePair('trusted', { certificate, privateKey });
  const good = await startServer({ apps: { far }, tls: trusted });
  const other = await startServer({ apps: { far }, tls: writePair('other', renewed) });
  // What Node trusts beside what it always does.
  process.env.NODE_EXTRA_CA_CERTS = trusted.certificate;
  const hosts = [good.rtmps, other.rtmps, good.rtmp].map((url) => new URL(url).host);
  const near = { 'main.js': runsCode, 'app.json': JSON.stringify({ connect: { hosts } }) };
  const server = await startServer({ apps: { near } });
  delete process.env.NODE_EXTRA_CA_CERTS;

  const client = await connect(`${server.rtmp}/near/room`);
  const code = `const nc = new NetConnection();
    return new Promise((done) => {
      nc.onStatus = ({ code, description }) =>
        done(code === 'NetConnection.Connect.Success' ? nc.invoke('about') : [code, description]);
      nc.connect(args[0]);
    });`;
  expect(await run(client, code, `${good.rtmps}/far/room`)).toEqual([true, 'rtmps']);
  const failed = (why: string) => ['NetConnection.Connect.Failed', expect.stringContaining(why)];
  expect(await run(client, code, `${other.rtmps}/far/room`)).toEqual(failed('self-signed certificate'));
  // No TLS is spoken there.
  const plain = good.rtmp.replace('rtmp:', 'rtmps:');
  expect(await run(client, code, `${plain}/far/room`)).toEqual(
    failed('before secure TLS connection was established'),
  );
});

test('an edge whose link is encrypted, and one that does not trust the certificate of its origin', async () => {
  const edgeSecret = 'what edges and origins share';
  const tls = writePair('origin', { certificate, privateKey });
  const echo = {
    'main.js': 'application.onConnect = (client) => { client.echo = (value) => value; return true; };',
  };
  const origin = await startServer({ apps: { echo }, tls, edgeSecret });
  const doubtful = await startServer({ edgeOf: origin.rtmps, edgeSecret });
  expect((await doubtful.waitForLog('cannot reach the origin')).message).toContain('certificate');
  process.env.NODE_EXTRA_CA_CERTS = tls.certificate;
  const edge = await startServer({ edgeOf: origin.rtmps, edgeSecret });
  delete process.env.NODE_EXTRA_CA_CERTS;
  await edge.waitForLog('is an edge of');
  const client = await connect(`${edge.rtmp}/echo/room`);
  expect(await client.call('echo', 'safe')).toBe('safe');
});
