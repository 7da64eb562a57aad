import type { AmfValue } from '../../wire/values.ts';
import type { RtmpClient } from './rtmp-client.ts';

/**
 * An application whose clients may have it run code: `client` is the caller's Client, `args` what came with it. The
 * code runs as part of a remote method, and its value comes back over RTMP.
 */
export const runsCode = `
  application.onConnect = () => true;
  Client.prototype.run = function (code, ...args) { return new Function('client', 'args', code)(this, args); };
`;

/** Runs code in the application of that client. */
export function run(client: RtmpClient, code: string, ...args: unknown[]): Promise<AmfValue> {
  return client.call('run', code, ...args);
}
