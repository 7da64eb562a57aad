import { MAX_ASK_BYTES, MAX_HASHED_BYTES, MAX_URL_CHARACTERS } from '../../runtime/wall/asks.ts';
import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import { StagewireError } from '../../wire/errors.ts';
import { checkToken } from './token.ts';

/** The parts of the runtime that few scripts need, by name: scripts/bundles.ts puts their code here. */
declare const RUNTIME_PARTS: Readonly<Record<string, string>>;

/** Questions are a name and a handful of texts and bytes. */
const LIMITS = { depth: 8, values: 32 };

/**
 * Answers a question that a script has for its core (runtime/wall/asks.ts). The script waits, and so does every other
 * script's word to the host: what is answered here is bounded and takes microseconds, a few milliseconds at the most.
 * Any isolate may write anything into a question: nothing of it is taken for what it should be.
 */
export function answerHere(question: Uint8Array): Uint8Array {
  try {
    const [name, args] = decodeAmf0(question, LIMITS);
    const answerer = typeof name === 'string' && Object.hasOwn(answerers, name) ? answerers[name] : undefined;
    if (!answerer || !Array.isArray(args)) throw refusal('the core has no answer to that');
    const answer = encodeAmf0([true, answerer(args)]);
    if (answer.length > MAX_ASK_BYTES) throw refusal(`the answer has ${answer.length} bytes`);
    return answer;
  } catch (error) {
    const code = error instanceof StagewireError ? error.code : 'E_ASK';
    return encodeAmf0([false, error instanceof Error ? error.message : String(error), code]);
  }
}

const answerers: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  code: ([name]) => {
    if (typeof name !== 'string' || !Object.hasOwn(RUNTIME_PARTS, name))
      throw refusal('there is no such part');
    return RUNTIME_PARTS[name];
  },
  /** The components of `new URL(input, base)`, null when that is none. */
  url: ([input, base]) =>
    componentsOf(URL.parse(addressOf(input), base === null ? undefined : addressOf(base))),
  /** Those of the URL once a member was set; null when the value is no URL (`href` only). */
  setUrl: ([href, member, value]) => {
    const url = URL.parse(addressOf(href));
    const setter = SETTABLE.find((each) => each === member);
    if (!url || !setter) throw refusal('there is no such member to set');
    if (setter === 'href') return componentsOf(URL.parse(addressOf(value)));
    url[setter] = addressOf(value);
    return componentsOf(url);
  },
  digest: ([hash, data]) => {
    const bytes = bytesOf(data);
    return new Uint8Array(crypto().createHash(hashOf(hash)).update(bytes).digest());
  },
  hmac: ([hash, key, data]) => {
    const [secret, bytes] = [bytesOf(key), bytesOf(data)];
    return new Uint8Array(crypto().createHmac(hashOf(hash), secret).update(bytes).digest());
  },
  token: ([token, key, isJson, allowed]) => {
    if (typeof token !== 'string' || typeof key !== 'string') throw refusal('tokens and keys are text');
    const names = Array.isArray(allowed) ? allowed.filter((name) => typeof name === 'string') : [];
    return checkToken(token, key, isJson === true, names);
  },
};

const SETTABLE = [
  'href',
  'protocol',
  'username',
  'password',
  'host',
  'hostname',
  'port',
  'pathname',
  'search',
  'hash',
] as const;

/** In the order of runtime/web/url.ts. */
function componentsOf(url: URL | null): string[] | null {
  if (!url) return null;
  const { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash } = url;
  return [
    addressOf(href),
    origin,
    protocol,
    username,
    password,
    host,
    hostname,
    port,
    pathname,
    search,
    hash,
  ];
}

function addressOf(value: unknown): string {
  if (typeof value !== 'string') throw refusal('an address is text');
  if (value.length > MAX_URL_CHARACTERS)
    throw refusal(`a URL of ${value.length} characters; ${MAX_URL_CHARACTERS} are allowed`);
  return value;
}

const HASHES = ['sha1', 'sha256', 'sha384', 'sha512'];

function hashOf(name: unknown): string {
  const hash = HASHES.find((each) => each === name);
  if (hash === undefined) throw refusal('there is no such hash');
  return hash;
}

function bytesOf(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw refusal('what is hashed is bytes');
  if (value.length > MAX_HASHED_BYTES)
    throw refusal(`${value.length} bytes; ${MAX_HASHED_BYTES} are allowed`);
  return value;
}

/** Loaded when first needed: most cores never are asked. */
function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}

function refusal(message: string): StagewireError {
  return new StagewireError('E_ASK', 'app', message);
}
