import { peerOf } from './host-side.ts';
import { NativeTypeError, SafeMap, shown } from './primordials.ts';

/** Where calls of one method go instead. */
export interface Proxy {
  target: object;
  method: string;
}

const proxies = new SafeMap<string, Proxy>();

/**
 * `application.registerProxy`: clients' calls of a method go to another client, or another instance, whose answer is theirs
 * (Server-Side ActionScript Language Reference, Application.registerProxy). A target of null ends it.
 */
export function registerProxy(method: unknown, target: unknown, remoteMethod?: unknown): void {
  if (typeof method !== 'string' || method === '')
    throw new NativeTypeError(
      `application.registerProxy: expected the name of a method, got ${shown(method)}`,
    );
  if (target === null || target === undefined) {
    proxies.delete(method);
    return;
  }
  if (!peerOf(target))
    throw new NativeTypeError(
      `application.registerProxy: expected a Client, a NetConnection, or null, got ${shown(target)}`,
    );
  if (remoteMethod !== undefined && (typeof remoteMethod !== 'string' || remoteMethod === ''))
    throw new NativeTypeError(
      `application.registerProxy: expected the name of the remote method, got ${shown(remoteMethod)}`,
    );
  proxies.set(method, { target: target as object, method: remoteMethod ?? method });
}

export function proxyFor(method: string): Proxy | undefined {
  return proxies.get(method);
}
