export const version = 0;

declare const Client: { prototype: object };

Object.assign(Client.prototype, { version: () => version });
