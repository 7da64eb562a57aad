export type { SharedObjectName } from './shared-object.ts';

import { reserveMethods } from '../shared.ts';
import { cleared, nameOf, receive, SharedObject } from './shared-object.ts';

const share = { SharedObject, receive, cleared, nameOf };
reserveMethods(SharedObject.prototype);

/** The entry of the bundle that runtime/share.ts evaluates. */
declare const give: (loaded: typeof share) => void;
give(share);

export type Share = typeof share;
