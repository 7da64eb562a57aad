import { move } from './handler.ts';

declare const Client: { prototype: object };

Object.assign(Client.prototype, { move });
