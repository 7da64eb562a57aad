import { Client } from './client.ts';
import { hide } from './clock.ts';
import { NativeTypeError } from './primordials.ts';

const NO_PEERS = 'peer-to-peer groups need RTMFP, which this server does not speak';

/**
 * Classes of later servers that are not here, and what to use. Whoever makes one takes it from the list. As text: every
 * instance has this, and few scripts use any of it.
 */
const NOT_OFFERED: readonly (readonly [names: string, instead: string])[] = [
  ['XMLSocket XMLStreams WebService SOAPCall SOAPFault', 'use fetch'],
  ['Log', 'use trace or console'],
  ['ByteArray', 'use Uint8Array and DataView'],
  [
    'GroupSpecifier GroupControl NetGroup NetGroupInfo NetGroupReceiveMode NetGroupReplicationStrategy ' +
      'NetGroupSendMode NetGroupSendResult MulticastStreamInfo MulticastStreamIngest ProxyStream',
    NO_PEERS,
  ],
];

/** The same of methods, by the object that has them. */
const METHODS_NOT_OFFERED: readonly (readonly [on: Holder, names: string, instead: string])[] = [
  ['application', 'denyPeerLookup sendPeerRedirect', NO_PEERS],
  ['client', 'introducePeer', NO_PEERS],
  ['Stream', 'setVirtualPath', 'use streams.virtual in app.json'],
];
type Holder = 'application' | 'client' | 'Stream';

/** The traps of one name. They are inherited, and find the name and the advice on the object itself. */
interface Sign {
  readonly name: string;
  readonly instead: string;
}

/** Symbols are how others look at a value, such as `console`. */
function refuse(this: Sign, _target: object, member: unknown): undefined {
  if (typeof member !== 'symbol') throw new NativeTypeError(`${this.name}: not offered; ${this.instead}`);
}

/** Using one says what to use; asking for its type is harmless, and a script may have something of its own by that name. */
export function installNotOffered(global: typeof globalThis, application: object): void {
  const holders = {
    application,
    client: Client.prototype,
    Stream: (global as { Stream?: unknown }).Stream as object,
  };
  // One for all: nothing of a script may stay on it.
  const target = Object.freeze(function NotOffered() {});
  const traps = { __proto__: null, apply: refuse, construct: refuse, get: refuse, set: refuse };
  for (let i = 0; i < NOT_OFFERED.length; i++) {
    const [names, instead] = NOT_OFFERED[i]!;
    for (const name of names.split(' '))
      hide(global, name, new Proxy(target, { __proto__: traps, name, instead } as ProxyHandler<object>));
  }
  for (let i = 0; i < METHODS_NOT_OFFERED.length; i++) {
    const [on, names, instead] = METHODS_NOT_OFFERED[i]!;
    for (const name of names.split(' '))
      hide(holders[on], name, () => {
        throw new NativeTypeError(`${on}.${name}: not offered; ${instead}`);
      });
  }
}
