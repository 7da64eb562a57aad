import type { HostSide } from '../host-side.ts';
import {
  Bytes,
  decodeUtf8,
  encodeUtf8,
  expectClient,
  isClassic,
  linkNumbers,
  NativeRangeError,
  NativeTypeError,
  reading,
  shown,
  utf8Length,
} from '../shared.ts';

/** Of a slot, as clients have it (wire/shared-object.ts). */
const MAX_NAME_BYTES = 1024;

/** The name of a slot, as clients will read it. */
export function slotName(member: string, name: unknown): string {
  if (typeof name === 'number') return `${name}`;
  if (typeof name === 'string' && name !== '') {
    const length = utf8Length(name);
    if (length > MAX_NAME_BYTES)
      throw new NativeRangeError(
        `${member}: the name of a slot has ${MAX_NAME_BYTES} bytes at the most, and this one ${length}`,
      );
    // Half a surrogate pair is no character.
    if (length === name.length) return name;
    const bytes = new Bytes(length);
    encodeUtf8(name, bytes, 0);
    return decodeUtf8(bytes, 0, length);
  }
  throw new NativeTypeError(`${member}: expected the name of a slot, got ${shown(name)}`);
}

/** The client in `{ until: client }`, which is new in Stagewire. */
export function clientIn(member: string, options: unknown): HostSide | undefined {
  if (isClassic || options === undefined || options === null) return undefined;
  if (typeof options !== 'object' && typeof options !== 'function')
    throw new NativeTypeError(`${member}: expected { until: client }, got ${shown(options)}`);
  const until = reading(member, () => (options as { until?: unknown }).until);
  return until === undefined || until === null ? undefined : expectClient(member, until);
}

/** The number of the connection, 0 for none. */
export function linkIn(member: string, connection: unknown): number {
  if (connection === undefined || connection === null) return 0;
  const number = typeof connection === 'object' ? linkNumbers.get(connection) : undefined;
  if (!number) throw new NativeTypeError(`${member}: expected a NetConnection, got ${shown(connection)}`);
  const link = number();
  if (link === 0)
    throw new NativeTypeError(`${member}: the NetConnection is not connected: call its connect first`);
  return link;
}
