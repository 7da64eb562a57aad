import { hide } from './clock.ts';
import { apply, NativeTypeError } from './primordials.ts';

const FETCH = 'use fetch';
const PEERS = 'peer-to-peer groups need RTMFP, which this server does not speak';

/** Classes of later servers that are not here, and what to use. Whoever makes one of them takes it from the list. */
const NOT_OFFERED: readonly (readonly [names: readonly string[], instead: string])[] = [
  [['XMLSocket', 'XMLStreams', 'WebService', 'SOAPCall', 'SOAPFault'], FETCH],
  [['Log'], 'use trace or console'],
  [['NetConnection'], FETCH],
  [['NetStream'], 'the streams that clients publish are in application.streams'],
  [['SharedObject'], 'keep the data in the script, and tell clients with application.broadcastMsg'],
  [['ByteArray'], 'use Uint8Array and DataView'],
  [
    [
      'GroupSpecifier',
      'GroupControl',
      'NetGroup',
      'NetGroupInfo',
      'NetGroupReceiveMode',
      'NetGroupReplicationStrategy',
      'NetGroupSendMode',
      'NetGroupSendResult',
      'MulticastStreamInfo',
      'MulticastStreamIngest',
      'ProxyStream',
    ],
    PEERS,
  ],
];

/** The traps of one name; they are looked up on what it inherits from, and find the name and the advice on it. */
interface Sign {
  readonly name: string;
  readonly instead: string;
}

function refuse(this: Sign): never {
  throw new NativeTypeError(`${this.name}: not offered; ${this.instead}`);
}

const TRAPS = {
  __proto__: null,
  apply: refuse,
  construct: refuse,
  set: refuse,
  /** Symbols are how others look at a value, such as `console`; all else is a member that is not there. */
  get(this: Sign, _target: object, member: string | symbol): undefined {
    if (typeof member === 'string') apply(refuse, this, []);
  },
};

/** Using one says what to use; asking for its type is harmless, and a script may have something of its own by that name. */
export function installNotOffered(global: typeof globalThis): void {
  // Of one target for all nothing is ever seen.
  const target = Object.freeze(function NotOffered() {});
  for (const [names, instead] of NOT_OFFERED) {
    for (const name of names)
      hide(global, name, new Proxy(target, { __proto__: TRAPS, name, instead } as ProxyHandler<object>));
  }
}
