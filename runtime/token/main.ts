import {
  after,
  append,
  askCore,
  isArray,
  keysOf,
  NativeTypeError,
  natives,
  RpcError,
  reading,
  shown,
  sliceOf,
  turnTime,
} from '../shared.ts';
import { MAX_KEY_CHARACTERS, MAX_TOKEN_CHARACTERS } from '../wall/asks.ts';

/** The entry of the bundle that runtime/token.ts evaluates. */
declare const give: (loaded: typeof verifyToken) => void;
give(verifyToken);

/** As host/core/token.ts says it. */
type TokenVerdict = readonly ['content' | 'token' | 'key', string];

interface Claims {
  readonly iss?: unknown;
  readonly sub?: unknown;
  readonly aud?: unknown;
  readonly exp?: unknown;
  readonly nbf?: unknown;
}

interface Expectations {
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly subject: string | undefined;
  readonly algorithms: readonly string[];
  readonly toleranceS: number;
  readonly ignoresExpiry: boolean;
}

/**
 * The claims of a JSON Web Token (RFC 7519) that is signed with that key and valid now; the core checks the signature.
 * What a client is to blame for is an RpcError with code `E_TOKEN`, what the author, a TypeError.
 */
function verifyToken(token: unknown, key: unknown, expected?: unknown): object {
  const expectations = readExpectations(expected);
  const { isJson, text: keyText } = readKey(key);
  if (typeof token !== 'string' || token === '') throw invalid('there is none');
  if (token.length > MAX_TOKEN_CHARACTERS) throw invalid(`it has ${token.length} characters`);
  const verdict = askCore('token', [token, keyText, isJson, expectations.algorithms]) as TokenVerdict;
  const about = verdict[0];
  const text = verdict[1];
  if (about === 'key') throw new NativeTypeError(`verifyToken: the key: ${text}`);
  if (about === 'token') throw invalid(text);
  const claims = claimsIn(text);
  check(claims, expectations);
  return claims;
}

function claimsIn(text: string): Claims {
  let claims: unknown;
  try {
    claims = natives.parseJson(text);
  } catch {
    // as below
  }
  if (typeof claims !== 'object' || claims === null || isArray(claims))
    throw invalid('its content is no JSON object');
  return claims;
}

/** RFC 7519, section 4.1. */
function check({ exp, nbf, iss, aud, sub }: Claims, expected: Expectations): void {
  const nowS = turnTime() / 1000;
  if (exp !== undefined && typeof exp !== 'number') throw invalid('its time of expiry is no number');
  if (nbf !== undefined && typeof nbf !== 'number')
    throw invalid('the time from which it is valid is no number');
  if (exp !== undefined && !expected.ignoresExpiry && nowS >= exp + expected.toleranceS)
    throw invalid('it has expired');
  if (nbf !== undefined && nowS < nbf - expected.toleranceS) throw invalid('it is not valid yet');
  if (expected.issuer !== undefined && iss !== expected.issuer)
    throw invalid(`it is issued by ${shown(iss)}, not by ${shown(expected.issuer)}`);
  if (expected.subject !== undefined && sub !== expected.subject)
    throw invalid(`it is about ${shown(sub)}, not about ${shown(expected.subject)}`);
  if (expected.audience !== undefined && !isFor(aud, expected.audience))
    throw invalid(`it is for ${shown(aud)}, not for ${shown(expected.audience)}`);
}

function isFor(aud: unknown, audience: string): boolean {
  if (!isArray(aud)) return aud === audience;
  for (let i = 0; i < aud.length; i++) if (aud[i] === audience) return true;
  return false;
}

function readKey(key: unknown): { isJson: boolean; text: string } {
  const isJson = typeof key === 'object' && key !== null;
  const text = isJson ? reading('verifyToken: the key', () => jsonOf(key)) : key;
  if (typeof text !== 'string' || text === '')
    throw wrong('the key', 'a secret, a public key in PEM or a JSON Web Key (or a set of them)', key);
  if (text.length > MAX_KEY_CHARACTERS)
    throw new NativeTypeError(
      `verifyToken: a key of ${text.length} characters; ${MAX_KEY_CHARACTERS} are allowed`,
    );
  return { isJson, text };
}

/** Undefined for what is neither a key nor a set of keys: that is the author's mistake, and no client's. */
function jsonOf(key: object): string | undefined {
  const { kty, keys } = key as { kty?: unknown; keys?: unknown };
  return typeof kty === 'string' || isArray(keys) ? natives.toJson(key) : undefined;
}

const KNOWN: Readonly<Record<string, true>> = {
  __proto__: null,
  algorithms: true,
  issuer: true,
  audience: true,
  subject: true,
  toleranceS: true,
  ignoresExpiry: true,
} as never;
const KNOWN_NAMES = 'algorithms, issuer, audience, subject, toleranceS, ignoresExpiry';

function readExpectations(given: unknown): Expectations {
  const isObject = typeof given === 'object' && given !== null && !isArray(given);
  if (given !== undefined && !isObject) throw wrong('the third argument', 'an object', given);
  // A copy: a proxy may answer differently each time.
  const options = reading('verifyToken: the third argument', () => copyOf(given ?? {}));
  const names = keysOf(options);
  for (let i = 0; i < names.length; i++)
    if (!KNOWN[names[i]!])
      throw new NativeTypeError(`verifyToken: unknown option ${shown(names[i])}: known are ${KNOWN_NAMES}`);
  const { algorithms = [], toleranceS = 0, ignoresExpiry = false } = options;
  if (typeof toleranceS !== 'number' || !(toleranceS >= 0)) throw wrong('toleranceS', 'seconds', toleranceS);
  if (typeof ignoresExpiry !== 'boolean') throw wrong('ignoresExpiry', 'true or false', ignoresExpiry);
  return {
    algorithms: textsOf(algorithms),
    issuer: textOf(options, 'issuer'),
    audience: textOf(options, 'audience'),
    subject: textOf(options, 'subject'),
    toleranceS,
    ignoresExpiry,
  };
}

function copyOf(given: object): Record<string, unknown> {
  const copy: Record<string, unknown> = { __proto__: null };
  const names = keysOf(given);
  for (let i = 0; i < names.length; i++) copy[names[i]!] = (given as Record<string, unknown>)[names[i]!];
  return copy;
}

/** A setting that was forgotten is undefined, too, and must not let everybody in: who expects nothing leaves it out. */
function textOf(options: Record<string, unknown>, name: string): string | undefined {
  if (!(name in options)) return undefined;
  const value = options[name];
  if (typeof value === 'string' && value !== '') return value;
  throw wrong(name, 'text', value);
}

const MAX_ALGORITHMS = 16;

function textsOf(algorithms: unknown): readonly string[] {
  const names: string[] = [];
  if (!isArray(algorithms)) throw wrong('algorithms', 'a list of names', algorithms);
  const given = reading('verifyToken: algorithms', () => after(algorithms, 0));
  if (given.length > MAX_ALGORITHMS) throw wrong('algorithms', 'a short list of names', algorithms);
  for (let i = 0; i < given.length; i++) {
    const name = given[i];
    if (typeof name !== 'string') throw wrong('algorithms', 'a list of names', name);
    append(names, sliceOf(name, 0, 20));
  }
  return names;
}

function wrong(what: string, wanted: string, got: unknown): TypeError {
  return new NativeTypeError(`verifyToken: ${what}: expected ${wanted}, got ${shown(got)}`);
}

function invalid(why: string): Error {
  return new RpcError('E_TOKEN', `The token is not accepted: ${why}.`);
}
