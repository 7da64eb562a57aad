import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type Server as TlsServer } from 'node:tls';
import { describeError, printable, StagewireError } from './errors.ts';
import type { Log } from './log.ts';

/**
 * How often the files are looked at. Whoever renews certificates replaces files, links to them or the folders they are in,
 * and by name one sees all of that.
 */
const WATCH_MS = 1000;
/** Certificate and key are written one after the other: they are read when both have been quiet for so long. */
const QUIET_MS = 500;
/** No chain of certificates is longer. */
const MAX_FILE_BYTES = 1024 * 1024;

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** The server's certificate and its key, read again when their files change. Connections keep what they began with. */
export class Certificate {
  readonly #certFile: string;
  readonly #keyFile: string;
  readonly #log: Log;
  readonly #servers = new Set<TlsServer>();
  #pair: Pair;
  #quiet: NodeJS.Timeout | undefined;
  /** What was wrong last: files that are written again and again may be wrong in the same way each time. */
  #complaint: string | undefined;
  readonly #changed = () => {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#readAgain(), QUIET_MS);
  };

  /** Throws `E_CONFIG` with one line for files that cannot be used. */
  constructor(certFile: string, keyFile: string, log: Log) {
    this.#certFile = certFile;
    this.#keyFile = keyFile;
    this.#log = log;
    this.#pair = this.#read();
    for (const file of [certFile, keyFile])
      watchFile(file, { interval: WATCH_MS, persistent: false }, this.#changed);
  }

  /** For a server's options. */
  get pair(): Pair {
    return this.#pair;
  }

  /** Gives the server each new pair; connections that are there go on. */
  serve(server: TlsServer): void {
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
  }

  close(): void {
    clearTimeout(this.#quiet);
    for (const file of [this.#certFile, this.#keyFile]) unwatchFile(file, this.#changed);
  }

  #readAgain(): void {
    let pair: Pair;
    try {
      pair = this.#read();
      const isSame = pair.cert === this.#pair.cert && pair.key === this.#pair.key;
      if (!isSame) for (const server of this.#servers) server.setSecureContext(pair);
      this.#complaint = undefined;
      if (isSame) return;
    } catch (error) {
      this.#complain(error instanceof StagewireError ? error.message : describeError(error));
      return;
    }
    this.#pair = pair;
    this.#log.info(`a new certificate from ${this.#certFile}, good until ${leafOf(pair).validTo}`);
  }

  #complain(why: string): void {
    if (why === this.#complaint) return;
    this.#complaint = why;
    this.#log.error(`${why}; the server goes on with the certificate it has`, { code: 'E_CERTIFICATE' });
  }

  #read(): Pair {
    const cert = readText('certificate', this.#certFile);
    const key = readText('key', this.#keyFile);
    let leaf: X509Certificate;
    let secret: KeyObject;
    try {
      leaf = leafOf({ cert });
    } catch {
      throw problem(`${printable(this.#certFile)} holds no certificate in PEM format`);
    }
    try {
      secret = createPrivateKey(key);
    } catch {
      throw problem(`${printable(this.#keyFile)} holds no private key in PEM format without a passphrase`);
    }
    if (!leaf.checkPrivateKey(secret))
      throw problem(`the key in ${printable(this.#keyFile)} is not that of ${printable(this.#certFile)}`);
    try {
      createSecureContext({ cert, key });
    } catch (error) {
      throw problem(`${printable(this.#certFile)} cannot be used: ${describeError(error)}`);
    }
    if (Date.parse(leaf.validTo) < Date.now())
      this.#log.warn(`the certificate in ${this.#certFile} was good until ${leaf.validTo}`, {
        code: 'E_CERTIFICATE',
      });
    return { cert, key };
  }
}

/** The first of the file; those of the authorities follow. */
function leafOf({ cert }: Pick<Pair, 'cert'>): X509Certificate {
  return new X509Certificate(cert);
}

function readText(what: string, file: string): string {
  let descriptor: number | undefined;
  try {
    // The whole server would wait for what else a name may stand for, a pipe above all.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error('it is no plain file');
    if (stats.size > MAX_FILE_BYTES) throw new Error(`it has ${stats.size} bytes`);
    const bytes = Buffer.alloc(MAX_FILE_BYTES);
    let length = 0;
    for (let read = -1; read !== 0; length += read)
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    return bytes.toString('utf8', 0, length);
  } catch (error) {
    throw problem(`the ${what} ${printable(file)} cannot be read: ${describeError(error)}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function problem(text: string): StagewireError {
  return new StagewireError('E_CONFIG', 'host', text);
}
