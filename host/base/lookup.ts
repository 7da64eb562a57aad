import { Resolver } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { printable } from './errors.ts';

/** The addresses of a name, asked for until the signal says stop. Rejects when there is no such name. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<string[]>;

/** Where names may lead. */
export interface Lookup {
  resolve: Resolve;
  /** Whether a name may lead to this address. */
  isPublic: (address: string) => boolean;
  signal: AbortSignal;
}

/** Addresses of one name that are tried. */
const MAX_ADDRESSES = 8;

/**
 * Asks DNS itself, and no hosts file: a slow answer holds no thread that files or other applications need, and ends
 * with the fetch. `servers` default to those that the machine has now.
 */
export async function resolveName(
  name: string,
  signal: AbortSignal,
  servers?: readonly string[],
): Promise<string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (servers) resolver.setServers(servers);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  signal.removeEventListener('abort', cancel);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (addresses.length === 0 && answers[0].status === 'rejected') throw answers[0].reason;
  return addresses;
}

/**
 * The socket's own lookup: what is checked here is what it connects to. Addresses in URLs do not come here. `denied`: the
 * error for a name that leads where it must not.
 */
export function checkedLookup(
  { resolve, isPublic, signal }: Lookup,
  denied: (why: string) => Error,
): LookupFunction {
  return (name, { all }, callback) => {
    const found = (addresses: string[]) => {
      const wrong = addresses.find((address) => !isPublic(address));
      if (wrong !== undefined) {
        const why = `"${printable(name, 200)}" leads to ${wrong}, which is no public address`;
        return callback(denied(why), []);
      }
      const list = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      const [first] = list;
      if (!first) callback(new Error(`"${printable(name, 200)}" has no address`), []);
      else if (all) callback(null, list.slice(0, MAX_ADDRESSES));
      else callback(null, first.address, first.family);
    };
    resolve(name, signal).then(found, (error: NodeJS.ErrnoException) => callback(error, []));
  };
}
