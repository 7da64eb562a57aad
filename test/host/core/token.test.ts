import {
  constants,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  type SignKeyObjectInput,
  sign,
} from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { checkToken } from '../../../host/core/token.ts';
import { MAX_KEY_CHARACTERS, MAX_TOKEN_CHARACTERS } from '../../../runtime/wall/asks.ts';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = { sub: 'ann' };
const accepted = ['content', JSON.stringify(claims)];
const refused = (why: string) => ['token', expect.stringContaining(why)];

type Signer = (alg: string, data: Buffer) => Buffer;
const hashOf = (alg: string) => `sha${alg.slice(2)}`;

/** A token as others make them. `header` adds to the algorithm. */
function tokenBy(signer: Signer, alg: string, header: object = {}, content: string = encode(claims)): string {
  const signed = `${encode({ alg, ...header })}.${content}`;
  return `${signed}.${signer(alg, Buffer.from(signed)).toString('base64url')}`;
}

function signerOf(key: KeyObject): Signer {
  return (alg, data) => {
    if (alg === 'EdDSA') return sign(null, data, key);
    const options: SignKeyObjectInput = { key };
    if (alg.startsWith('ES')) options.dsaEncoding = 'ieee-p1363';
    if (alg.startsWith('PS')) {
      options.padding = constants.RSA_PKCS1_PSS_PADDING;
      options.saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
    }
    return sign(hashOf(alg), data, options);
  };
}

const withSecret =
  (secret: string | Buffer): Signer =>
  (alg, data) =>
    createHmac(hashOf(alg), secret).update(data).digest();

const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const jwkOf = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more });

const secret = 'an old secret that nobody guesses';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const ed25519 = generateKeyPairSync('ed25519');

test('the token of RFC 7515, appendix A.1, with its key', () => {
  const token =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const k = 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow';
  const content = '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}';
  expect(checkToken(token, JSON.stringify({ kty: 'oct', k }), true, [])).toEqual(['content', content]);
});

test('the token of RFC 8037, appendix A.4, with its key', () => {
  const token =
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';
  const key = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
  const expected = ['content', 'Example of Ed25519 signing'];
  expect(checkToken(token, JSON.stringify(key), true, [])).toEqual(expected);
});

describe('every algorithm, with the key as text and as JSON', () => {
  const keys: [string[], KeyObject | string, KeyObject | string][] = [
    [['HS256', 'HS384', 'HS512'], secret, secret],
    [['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'], rsa.privateKey, rsa.publicKey],
    [['ES256'], p256.privateKey, p256.publicKey],
    [['ES384'], p384.privateKey, p384.publicKey],
    [['ES512'], p521.privateKey, p521.publicKey],
    [['EdDSA'], ed25519.privateKey, ed25519.publicKey],
  ];
  const cases = keys.flatMap(([algs, own, key]) => algs.map((alg) => ({ alg, own, key })));
  test.each(cases)('$alg', ({ alg, own, key }) => {
    const signer = typeof own === 'string' ? withSecret(own) : signerOf(own);
    const token = tokenBy(signer, alg);
    const text = typeof key === 'string' ? key : pemOf(key);
    const jwk =
      typeof key === 'string' ? { kty: 'oct', k: Buffer.from(key).toString('base64url') } : jwkOf(key);
    expect(checkToken(token, text, false, [])).toEqual(accepted);
    expect(checkToken(token, JSON.stringify(jwk), true, [alg])).toEqual(accepted);
    // One bit of the content, and one of the signature.
    const [head, , signature = ''] = token.split('.');
    const other = `${head}.${encode({ sub: 'bob' })}.${signature}`;
    expect(checkToken(other, text, false, [])).toEqual(refused('signature does not match'));
    const flipped = Buffer.from(signature, 'base64url');
    flipped[0]! ^= 1;
    const forged = token.slice(0, -signature.length) + flipped.toString('base64url');
    expect(checkToken(forged, text, false, [])).toEqual(refused('signature does not match'));
    expect(checkToken(token, text, false, ['none', 'XS256'])).toEqual(refused('is not accepted'));
  });
});

test('the key decides about the algorithm: a public one is no secret', () => {
  const pem = pemOf(rsa.publicKey);
  for (const text of [pem, pem.trim(), ` ${pem}`]) {
    const forged = tokenBy(withSecret(text), 'HS256');
    expect(checkToken(forged, text, false, [])).toEqual(refused('HS256 is not for this kind of key'));
    expect(checkToken(forged, pem, false, [])).toEqual(refused('HS256 is not for this kind of key'));
  }
  const jwk = JSON.stringify(jwkOf(rsa.publicKey));
  expect(checkToken(tokenBy(withSecret(jwk), 'HS256'), jwk, true, [])).toEqual(refused('no key is for it'));
  const es = tokenBy(signerOf(p384.privateKey), 'ES256');
  expect(checkToken(es, pemOf(p384.publicKey), false, [])).toEqual(refused('not for the curve secp384r1'));
  expect(checkToken(es, secret, false, [])).toEqual(refused('ES256 is not for this kind of key'));
});

test.each([
  ['nothing', '', 'no JSON Web Token'],
  ['two parts', 'e30.e30', 'no JSON Web Token'],
  ['five parts', 'e30.e30.e30.e30.e30', 'no JSON Web Token'],
  ['no signature', `${encode({ alg: 'HS256' })}.${encode(claims)}.`, 'no JSON Web Token'],
  ['other base64', `${encode({ alg: 'HS256' })}.a+b/.e30`, 'no JSON Web Token'],
  ['a header that is no JSON', 'AAAA.e30.e30', 'header is no JSON object'],
  ['a header that is a list', `${encode(['HS256'])}.e30.e30`, 'header is no JSON object'],
  ['no algorithm', `${encode({})}.e30.e30`, 'names no algorithm'],
  ['an object as algorithm', `${encode({ alg: { toString: 1 } })}.e30.e30`, 'names no algorithm'],
  ['none', `${encode({ alg: 'none' })}.${encode(claims)}.e30`, '"none" is not accepted'],
  ['None', `${encode({ alg: 'None' })}.${encode(claims)}.e30`, '"None" is not accepted'],
  ['a property of objects', `${encode({ alg: 'constructor' })}.e30.e30`, '"constructor" is not accepted'],
  [
    'a header with extensions',
    tokenBy(withSecret(secret), 'HS256', { crit: ['exp'] }),
    'asks for extensions',
  ],
  ['another secret', tokenBy(withSecret(`${secret}.`), 'HS256'), 'signature does not match'],
  ['a cut signature', tokenBy(withSecret(secret), 'HS256').slice(0, -2), 'signature does not match'],
  ['too much', 'x'.repeat(MAX_TOKEN_CHARACTERS + 1), `${MAX_TOKEN_CHARACTERS + 1} characters`],
])('a token that is %s is refused', (_, token, why) => {
  expect(checkToken(token, secret, false, [])).toEqual(refused(why));
});

test('of a set of keys the one that the token names', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keys = [
    jwkOf(rsa.publicKey, { kid: 'r1', use: 'sig', x5c: ['A'.repeat(3000)] }),
    jwkOf(p256.publicKey, { kid: 'e1', alg: 'ES256' }),
    jwkOf(other.publicKey, { kid: 'e2' }),
    jwkOf(p384.publicKey, { kid: 'locks', use: 'enc' }),
    'no key',
    null,
  ];
  const set = JSON.stringify({ keys });
  const check = (key: KeyObject, alg: string, header: object = {}) =>
    checkToken(tokenBy(signerOf(key), alg, header), set, true, []);
  expect(check(p256.privateKey, 'ES256', { kid: 'e1' })).toEqual(accepted);
  expect(check(other.privateKey, 'ES256', { kid: 'e2' })).toEqual(accepted);
  expect(check(other.privateKey, 'ES256', { kid: 'e1' })).toEqual(refused('signature does not match'));
  expect(check(p256.privateKey, 'ES256', { kid: 'e3' })).toEqual(refused('no key is for it'));
  expect(check(p256.privateKey, 'ES256')).toEqual(refused('does not say which key'));
  expect(check(rsa.privateKey, 'RS256')).toEqual(accepted); // there is one
  expect(check(p384.privateKey, 'ES384', { kid: 'locks' })).toEqual(refused('no key is for it'));
  const alone = JSON.stringify({ keys: [jwkOf(p256.publicKey)] });
  const named = tokenBy(signerOf(p256.privateKey), 'ES256', { kid: 'whatever' });
  expect(checkToken(named, alone, true, [])).toEqual(accepted);
});

test.each([
  ['is empty', '', false],
  ['is a private key', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), false],
  ['is a PEM of nothing', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', false],
  ['is public, and bare', pemOf(p256.publicKey).split('\n').slice(1, -2).join('\n'), false],
  ['is public, and of OpenSSH', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dA== site', false],
  ['is a JSON Web Key as text', JSON.stringify(jwkOf(rsa.publicKey)), false],
  ['is a set of keys as text', ` ${JSON.stringify({ keys: [jwkOf(rsa.publicKey)] })}\n`, false],
  ['is too short for RSA', pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), false],
  ['has too much', 'x'.repeat(MAX_KEY_CHARACTERS + 1), false],
  ['is a JSON Web Key without a value', '{"kty":"RSA"}', true],
  ['has members that are no text', '{"kty":"RSA","n":{"length":1},"e":[1]}', true],
  ['has a member without end', JSON.stringify({ kty: 'RSA', n: 'A'.repeat(5000), e: 'AQAB' }), true],
])('a key that %s is the fault of who gives it', (_, key, isJson) => {
  const token = tokenBy(signerOf(rsa.privateKey), 'RS256');
  expect(checkToken(token, key, isJson, [])).toEqual(['key', expect.any(String)]);
});

test('whatever a token or a key holds, there is a verdict', () => {
  const parts = ['', '.', 'e30', encode({ alg: 'RS256' }), encode({ alg: 'ES256', kid: 1 }), '\u0000', 'é'];
  for (let i = 0; i < 2000; i++) {
    const pick = () => parts[randomBytes(1)[0]! % parts.length]! + randomBytes(i % 5).toString('base64url');
    const key =
      i % 2 ? JSON.stringify({ kty: 'EC', crv: 'P-256', x: pick(), y: pick() }) : pemOf(rsa.publicKey);
    const [verdict] = checkToken([pick(), pick(), pick()].join('.'), key, i % 2 === 1, []);
    expect(['token', 'key']).toContain(verdict);
  }
});

describe('a public key is no secret, however it is written', () => {
  const pem = pemOf(rsa.publicKey);
  const isRefused = ['key', expect.stringMatching(/^a secret is expected, or a public key in PEM; this is /)];
  const body = pem.split('\n').slice(1, -2);
  for (const [name, key] of [
    ['as the text of a JSON Web Key', JSON.stringify(jwkOf(rsa.publicKey))],
    ['as the text of a set of them', ` ${JSON.stringify({ keys: [jwkOf(rsa.publicKey)] })}`],
    ['in Base64 without its frame', body.join('')],
    ['in lines of Base64', body.join('\n')],
    ['an elliptic one in Base64', p256.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    ['as SSH has it', 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ ann@example.org'],
  ] as const) {
    test(name, () => {
      expect(checkToken(tokenBy(withSecret(key), 'HS256'), key, false, [])).toEqual(isRefused);
    });
  }

  test('in PEM behind what OpenSSL says of it, which is a key', () => {
    const key = `Bag Attributes\n    friendlyName: ours\n${pem}`;
    expect(checkToken(tokenBy(withSecret(key), 'HS256'), key, false, [])).toEqual(
      refused('not for this kind of key'),
    );
    expect(checkToken(tokenBy(signerOf(rsa.privateKey), 'RS256'), key, false, [])).toEqual(accepted);
  });

  test('and secrets may look nearly like one', () => {
    for (const key of ['MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A', '{"a":1}', '{kty}', 'M', 'ssh', '-----']) {
      expect(checkToken(tokenBy(withSecret(key), 'HS256'), key, false, [])).toEqual(accepted);
    }
  });
});
