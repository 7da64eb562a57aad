import { StagewireError } from '../../base/errors.ts';

/**
 * Messages that many clients of an edge are sent in one round of the event loop: they go over the link once, with the
 * numbers of those clients. Each client has its own in the order in which they were added.
 */
export class SharedBytes {
  readonly #send: (clients: readonly number[], bytes: Buffer) => void;
  /** In the order of their first client. */
  readonly #groups = new Map<Buffer, Group>();
  /** The place of the last group that a client is in. */
  readonly #lastOf = new Map<number, number>();

  constructor(send: (clients: readonly number[], bytes: Buffer) => void) {
    this.#send = send;
  }

  /** `bytes`: the same buffer for the same messages. Nobody may change it afterwards. */
  add(client: number, bytes: Buffer): void {
    let group = this.#groups.get(bytes);
    // What the client got meanwhile would come before this.
    if (group && (this.#lastOf.get(client) ?? -1) >= group.place) {
      this.flush();
      group = undefined;
    }
    if (!group) {
      if (this.#groups.size === 0) queueMicrotask(() => this.flush());
      group = { place: this.#groups.size, clients: [] };
      this.#groups.set(bytes, group);
    }
    group.clients.push(client);
    this.#lastOf.set(client, group.place);
  }

  /** Before anything else is said to one of them. */
  flush(): void {
    if (this.#groups.size === 0) return;
    const groups = [...this.#groups];
    this.#groups.clear();
    this.#lastOf.clear();
    for (const [bytes, { clients }] of groups) this.#send(clients, bytes);
  }
}

interface Group {
  readonly place: number;
  readonly clients: number[];
}

const NUMBER_BYTES = 4;

/** How many they are, their numbers, the bytes. */
export function encodeForMany(clients: readonly number[], bytes: Uint8Array): Buffer {
  const headBytes = NUMBER_BYTES * (1 + clients.length);
  const payload = Buffer.allocUnsafe(headBytes + bytes.length);
  payload.writeUInt32BE(clients.length, 0);
  for (const [n, client] of clients.entries()) payload.writeUInt32BE(client, NUMBER_BYTES * (1 + n));
  payload.set(bytes, headBytes);
  return payload;
}

/** Throws `E_EDGE` when it is cut off. The bytes are a view. */
export function decodeForMany(payload: Uint8Array): { clients: number[]; bytes: Uint8Array } {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const count = payload.length < NUMBER_BYTES ? Number.POSITIVE_INFINITY : view.getUint32(0);
  const headBytes = NUMBER_BYTES * (1 + count);
  if (headBytes > payload.length)
    throw new StagewireError(
      'E_EDGE',
      'peer',
      `between edge and origin: ${payload.length} bytes for ${count} clients`,
    );
  const clients = Array.from({ length: count }, (_, n) => view.getUint32(NUMBER_BYTES * (1 + n)));
  return { clients, bytes: payload.subarray(headBytes) };
}
