import { move } from './handler.ts';
import { settle } from './wall.ts';

declare const Client: { prototype: object };

Object.assign(Client.prototype, { move, settle });
