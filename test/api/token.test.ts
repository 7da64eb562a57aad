import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { run, runsCode } from '../support/run.ts';
import { useServer } from '../support/server.ts';

const secret = 'what the web site and this application know';
const provider = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const set = JSON.stringify({ keys: [{ ...provider.publicKey.export({ format: 'jwk' }), kid: 'k1' }] });

const server = useServer({
  limits: { rejectLingerMs: 100 },
  apps: {
    members: {
      'main.ts': `
        application.onConnect = (client, token) => {
          const { sub } = verifyToken(token, ${JSON.stringify(secret)}, {
            issuer: 'https://site.example',
            audience: 'chat',
            ignoresExpiry: client.reconnected !== false,
          });
          client.user = sub;
          return true;
        };
        application.authorizePublish = (client, stream) => {
          const { key } = Object.fromEntries(new URLSearchParams(stream.publishQueryString));
          return verifyToken(key, ${JSON.stringify(secret)}, { subject: stream.name }) !== undefined;
        };
        application.expose({ who() { return this.user; } });`,
    },
    classic: {
      'main.asc': `
        application.onConnect = function (client, token) {
          client.user = verifyToken(token, ${set}).sub;
          return true;
        };
        Client.prototype.who = function () { return this.user; };`,
    },
    rows: { 'main.js': runsCode },
  },
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const nowS = () => Math.floor(Date.now() / 1000);

function tokenOf(claims: unknown, key = secret): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

const site = { iss: 'https://site.example', aud: ['chat', 'shop'], sub: 'ann' };

test('MOD-23: verifyToken in onConnect lets those in who have a token, and tells others why not', async () => {
  const url = `${server.rtmp}/members/hall`;
  const client = await connect(url, { args: [tokenOf({ ...site, exp: nowS() + 600, nbf: nowS() - 5 })] });
  expect(await client.call('who')).toBe('ann');

  const refused: [unknown, string][] = [
    [undefined, 'there is none'],
    [7, 'there is none'],
    ['ann', 'it is no JSON Web Token'],
    [tokenOf(site, 'guess'), 'its signature does not match'],
    [tokenOf({ ...site, exp: nowS() - 1 }), 'it has expired'],
    [tokenOf({ ...site, exp: 'never' }), 'its time of expiry is no number'],
    [tokenOf({ ...site, nbf: nowS() + 600 }), 'it is not valid yet'],
    [tokenOf({ ...site, iss: 'x' }), 'it is issued by "x", not by "https://site.example"'],
    [tokenOf({ ...site, aud: 'shop' }), 'it is for "shop", not for "chat"'],
    [tokenOf([site]), 'its content is no JSON object'],
  ];
  for (const [token, why] of refused) {
    const info = await connectRefused(url, { args: token === undefined ? [] : [token] });
    expect(info).toMatchObject({
      code: 'NetConnection.Connect.Rejected',
      description: `The token is not accepted: ${why}.`,
      application: { code: 'E_TOKEN' },
    });
  }
  // Clients are to blame for that: the author's log has no word of it.
  expect(server.log.entries.filter(({ level }) => level === 'error')).toEqual([]);

  const publish = async (key: string) => (await client.createStream()).publish(`show?key=${key}`);
  const other = await publish(tokenOf({ sub: 'another' }));
  expect(other).toMatchObject({
    code: 'NetStream.Publish.BadName',
    description: expect.stringContaining('it is about "another", not about "show"'),
  });
  expect(await publish(tokenOf({ sub: 'show' }))).toMatchObject({ code: 'NetStream.Publish.Start' });
});

test('a client whose token has expired since stays, when new code comes', async () => {
  const expiresAt = nowS() + 2;
  const client = await connect(`${server.rtmp}/members/late`, {
    args: [tokenOf({ ...site, exp: expiresAt })],
  });
  while (nowS() < expiresAt) await new Promise((resolve) => setTimeout(resolve, 50));
  const before = server.log.entries.length;
  const source = `${server.readFile('members/main.ts')}\ntrace('newer');`;
  server.writeFile('members/main.ts', source);
  await server.waitForLog(
    (r) => r.instance === 'members/late' && r.message.startsWith('runs new code, 1 client kept'),
    before,
  );
  expect(await client.call('who')).toBe('ann');
});

test('a classic script, and the keys of a provider', async () => {
  const signed = `${encode({ alg: 'ES256', kid: 'k1' })}.${encode({ sub: 'bob' })}`;
  const signature = sign('sha256', Buffer.from(signed), {
    key: provider.privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  const token = `${signed}.${signature.toString('base64url')}`;
  const client = await connect(`${server.rtmp}/classic/room`, { args: [token] });
  expect(await client.call('who')).toBe('bob');
  const info = await connectRefused(`${server.rtmp}/classic/room`, { args: [`${token}A`] });
  expect(info.description).toContain('signature does not match');
});

test.each([
  ['verifyToken("t")', 'the key: expected a secret, a public key in PEM or a JSON Web Key'],
  ['verifyToken("t", "")', 'the key: expected a secret'],
  ['verifyToken("t", 5)', 'the key: expected a secret'],
  ['verifyToken("e30.e30.e30", "-----BEGIN X")', 'the key: of keys in PEM public ones are taken'],
  ['verifyToken("t", "x".repeat(100000))', 'a key of 100000 characters; 65536 are allowed'],
  ['verifyToken("t", "k", "issuer")', 'the third argument: expected an object, got "issuer"'],
  ['verifyToken("t", "k", { isuer: "x" })', 'unknown option "isuer": known are algorithms, issuer'],
  ['verifyToken("t", "k", { issuer: undefined })', 'issuer: expected text, got undefined'],
  ['verifyToken("t", "k", { audience: ["x"] })', 'audience: expected text, got an array'],
  ['verifyToken("t", "k", { algorithms: "HS256" })', 'algorithms: expected a list of names, got "HS256"'],
  ['verifyToken("t", "k", { algorithms: [{}] })', 'algorithms: expected a list of names, got an object'],
  ['verifyToken("t", "k", { toleranceS: -1 })', 'toleranceS: expected seconds, got -1'],
  ['verifyToken("t", "k", { ignoresExpiry: 1 })', 'ignoresExpiry: expected true or false, got 1'],
])('%s is a mistake of the author', async (code, says) => {
  const client = await connect(`${server.rtmp}/rows/input`);
  const error = await run(
    client,
    `try { ${code} } catch (error) { return error.name + ': ' + error.message }`,
  );
  expect(error).toContain(`TypeError: verifyToken: ${says}`);
});
