import type { KeyObject, webcrypto } from 'node:crypto';
import { MAX_KEY_CHARACTERS, MAX_TOKEN_CHARACTERS } from '../../runtime/wall/asks.ts';

/** The signed content as text, or what is wrong with the token, or with the key. */
export type TokenVerdict = readonly ['content' | 'token' | 'key', string];

interface Algorithm {
  readonly key: 'secret' | 'rsa' | 'ec' | 'ed25519';
  /** Null where the signature has its own. */
  readonly hash: string | null;
  readonly curve?: string;
  readonly isPss?: boolean;
}

/** RFC 7518, section 3.1, and RFC 8037. `none` is not among them. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['HS256', { key: 'secret', hash: 'sha256' }],
  ['HS384', { key: 'secret', hash: 'sha384' }],
  ['HS512', { key: 'secret', hash: 'sha512' }],
  ['RS256', { key: 'rsa', hash: 'sha256' }],
  ['RS384', { key: 'rsa', hash: 'sha384' }],
  ['RS512', { key: 'rsa', hash: 'sha512' }],
  ['PS256', { key: 'rsa', hash: 'sha256', isPss: true }],
  ['PS384', { key: 'rsa', hash: 'sha384', isPss: true }],
  ['PS512', { key: 'rsa', hash: 'sha512', isPss: true }],
  ['ES256', { key: 'ec', hash: 'sha256', curve: 'prime256v1' }],
  ['ES384', { key: 'ec', hash: 'sha384', curve: 'secp384r1' }],
  ['ES512', { key: 'ec', hash: 'sha512', curve: 'secp521r1' }],
  ['EdDSA', { key: 'ed25519', hash: null }],
]);

const MIN_RSA_BITS = 2048;
/** A core's other scripts wait for the verdict: larger ones take milliseconds. */
const MAX_RSA_BITS = 8192;
const MAX_EXPONENT = 2n ** 64n;
const MAX_PEM_CHARACTERS = 4096;
const PEM = '-----BEGIN ';
const PUBLIC_PEM = '-----BEGIN PUBLIC KEY-----';

/** What is wrong, and with which of the two. */
class Refusal extends Error {
  readonly about: 'token' | 'key';

  constructor(about: 'token' | 'key', why: string) {
    super(why);
    this.about = about;
  }
}

/**
 * Checks the signature of a JSON Web Token in compact form (RFC 7515, section 5.2). `key`: a secret, a public key in PEM
 * (SubjectPublicKeyInfo), or with `isJson` a JSON Web Key or a set of them. What kind of key it is decides which
 * algorithms may be used with it, never the token alone. `allowed` narrows them down; empty for all.
 */
export function checkToken(
  token: string,
  key: string,
  isJson: boolean,
  allowed: readonly string[],
): TokenVerdict {
  try {
    if (key.length > MAX_KEY_CHARACTERS) throw new Refusal('key', `${key.length} characters`);
    // A key that is none is the author's mistake, whatever clients show.
    const plain = isJson ? undefined : plainKey(key);
    if (token.length > MAX_TOKEN_CHARACTERS) throw new Refusal('token', `${token.length} characters`);
    const [head, content, signature] = partsOf(token);
    const header = headerOf(head);
    const algorithm = ALGORITHMS.get(header.alg);
    if (!algorithm || (allowed.length > 0 && !allowed.includes(header.alg)))
      throw new Refusal('token', `its algorithm ${JSON.stringify(header.alg)} is not accepted`);
    const verifying = plain ?? chosenKey(key, header, algorithm);
    if (kindOf(verifying) !== algorithm.key)
      throw new Refusal('token', `its algorithm ${header.alg} is not for this kind of key`);
    if (
      !isSigned(Buffer.from(`${head}.${content}`), Buffer.from(signature, 'base64url'), verifying, algorithm)
    )
      throw new Refusal('token', 'its signature does not match');
    return ['content', Buffer.from(content, 'base64url').toString()];
  } catch (error) {
    if (error instanceof Refusal) return [error.about, error.message];
    // node:crypto, about a key that is none.
    return ['key', error instanceof Error ? error.message : String(error)];
  }
}

function partsOf(token: string): [string, string, string] {
  const parts = token.split('.');
  const [head = '', content = '', signature = ''] = parts;
  if (parts.length !== 3 || !parts.every((part) => /^[\w-]+$/.test(part)))
    throw new Refusal('token', 'it is no JSON Web Token');
  return [head, content, signature];
}

interface Header {
  readonly alg: string;
  readonly kid?: unknown;
}

function headerOf(head: string): Header {
  const header = objectIn(Buffer.from(head, 'base64url').toString());
  if (!header) throw new Refusal('token', 'its header is no JSON object');
  const { alg, kid, crit } = header;
  if (typeof alg !== 'string') throw new Refusal('token', 'it names no algorithm');
  if (crit !== undefined) throw new Refusal('token', 'it asks for extensions (crit)');
  return { alg: alg.slice(0, 20), kid };
}

function objectIn(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // it is no JSON
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function plainKey(key: string): KeyObject {
  const begin = key.indexOf(PEM);
  if (begin < 0) {
    // Everybody has it, and could sign with it.
    const what = publicKeyIn(key.trim());
    if (what !== undefined)
      throw new Refusal('key', `a secret is expected, or a public key in PEM; this is ${what}`);
    return secretOf(Buffer.from(key));
  }
  // OpenSSL writes what it knows of a key in front of it.
  const text = key.slice(begin).trim();
  if (!text.startsWith(PUBLIC_PEM) || text.length > MAX_PEM_CHARACTERS)
    throw new Refusal('key', `of keys in PEM public ones are taken ("${PUBLIC_PEM}")`);
  return checked(crypto().createPublicKey(text));
}

/** What text is that is no secret, though it looks like one. */
function publicKeyIn(text: string): string | undefined {
  const { kty, keys } = (text.startsWith('{') ? objectIn(text) : undefined) ?? {};
  if (kty !== undefined || keys !== undefined) return 'the text of a JSON Web Key: JSON.parse it';
  if (/^(?:ssh-|ecdsa-sha2-|---- BEGIN )/.test(text)) return 'a public key of SSH';
  if (!/^M[\w+/\s]+=*$/.test(text) || text.length > MAX_PEM_CHARACTERS) return undefined;
  try {
    crypto().createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    return `a public key in Base64: put "${PUBLIC_PEM}" before it, and its end behind`;
  } catch {
    return undefined; // it only begins like one
  }
}

/** The key of a set that the token names, or the only one that may be meant. */
function chosenKey(json: string, { alg, kid }: Header, algorithm: Algorithm): KeyObject {
  const content = objectIn(json);
  const keys = Array.isArray(content?.keys) ? (content.keys as unknown[]) : [content];
  const candidates = keys.filter(isObject).filter((key) => {
    const isForThis = key.alg === undefined || key.alg === alg;
    const isForSignatures = key.use === undefined || key.use === 'sig';
    return isForThis && isForSignatures && key.kty === KEY_TYPES[algorithm.key];
  });
  const named = kid === undefined ? candidates : candidates.filter((key) => key.kid === kid);
  // A key without a name, alone, is meant for whatever comes.
  const [only, second] = keys.length === 1 && candidates[0]?.kid === undefined ? candidates : named;
  if (!only) throw new Refusal('token', 'no key is for it');
  if (second) throw new Refusal('token', 'it does not say which key it is signed with (kid)');
  return fromJwk(only);
}

const KEY_TYPES = { secret: 'oct', rsa: 'RSA', ec: 'EC', ed25519: 'OKP' } as const;
const MEMBERS = ['kty', 'k', 'n', 'e', 'crv', 'x', 'y'] as const;

function fromJwk(jwk: Record<string, unknown>): KeyObject {
  const members: webcrypto.JsonWebKey = {};
  for (const name of MEMBERS) {
    const value = jwk[name];
    if (value === undefined) continue;
    if (typeof value !== 'string' || value.length > MAX_PEM_CHARACTERS)
      throw new Refusal('key', `${name} is no text, or a long one`);
    members[name] = value;
  }
  if (members.kty === 'oct') return secretOf(Buffer.from(members.k ?? '', 'base64url'));
  return checked(crypto().createPublicKey({ key: members, format: 'jwk' }));
}

function secretOf(bytes: Buffer): KeyObject {
  if (bytes.length === 0) throw new Refusal('key', 'it is empty');
  return crypto().createSecretKey(bytes);
}

function checked(key: KeyObject): KeyObject {
  const { modulusLength, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength === undefined) return key;
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS || publicExponent > MAX_EXPONENT)
    throw new Refusal('key', `RSA with ${modulusLength} bits; ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are taken`);
  return key;
}

function kindOf(key: KeyObject): string {
  return key.type === 'secret' ? 'secret' : (key.asymmetricKeyType ?? '');
}

function isSigned(data: Buffer, signature: Buffer, key: KeyObject, algorithm: Algorithm): boolean {
  const { createHmac, timingSafeEqual, verify, constants } = crypto();
  const { hash, curve, isPss = false } = algorithm;
  if (algorithm.key === 'secret') {
    const expected = createHmac(hash!, key).update(data).digest();
    return expected.length === signature.length && timingSafeEqual(expected, signature);
  }
  if (curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== curve)
    throw new Refusal('token', `its algorithm is not for the curve ${key.asymmetricKeyDetails?.namedCurve}`);
  if (algorithm.key === 'ec') return verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature);
  if (!isPss) return verify(hash, data, key, signature);
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants;
  return verify(hash, data, { key, padding, saltLength }, signature);
}

/** Loaded when first needed: most cores never are asked. */
function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}
