import { createHmac, randomFillSync } from 'node:crypto';
import { StagewireError } from '../../wire/errors.ts';

/** C1, C2, S1 and S2 (RTMP 1.0, section 5.2). */
export const handshakePacketBytes = 1536;

/** What a handshake makes of a piece of input. */
export interface HandshakeStep {
  /** Bytes to send now. May be empty. */
  send: Uint8Array;
  /** How many bytes of the input belong to the handshake. When `done`, the rest is chunks. */
  consumed: number;
  done: boolean;
}

/** One side of it. */
export interface Handshake {
  /** What this side begins with, if it is the one that begins. */
  start?(): Uint8Array;
  /** Throws StagewireError for what is no RTMP. */
  push(input: Uint8Array): HandshakeStep;
}

/** Where time and chance come from. Tests bring their own. */
export interface HandshakeSources {
  /** Default: milliseconds since the process began. */
  now?: () => number;
  /** Default: the random bytes of the machine. */
  fillRandom?: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/**
 * The digest block begins at 8 or, behind the key block, at 772. Others number these two schemes, in contradicting
 * ways.
 */
export type DigestBase = 8 | 772;

export interface PacketDigest {
  base: DigestBase;
  position: number;
  digest: Uint8Array;
}

const version = 3;
const digestBytes = 32;
/** A digest, or a signature, covers what remains of its packet. */
const signatureAt = handshakePacketBytes - digestBytes;
/** What a digest-form S1 says of itself. Any first byte of 3 or more has clients check the digest. */
const serverVersion = [4, 5, 0, 1] as const;

const keyTail = 'f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae';
const playerName = Buffer.from('Genuine Adobe Flash Player 001', 'latin1');
const serverName = Buffer.from('Genuine Adobe Flash Media Server 001', 'latin1');

/** Digests are made with the name alone, signatures with the name and 32 fixed bytes. */
export const playerKeys = { digest: playerName, signature: withTail(playerName) } as const;
export const serverKeys = { digest: serverName, signature: withTail(serverName) } as const;

const nothing = new Uint8Array(0);

type ServerState =
  | { at: 'version' }
  | { at: 'c1'; packet: Uint8Array; filled: number }
  | { at: 'c2'; missing: number }
  | { at: 'done' };

/**
 * The server's side. Answers clients that ask for the digest form in that form, as Flash Player shows no H.264
 * otherwise, and all others in the simple one. What C2 says is not checked: real clients get each part of it wrong.
 */
export class ServerHandshake implements Handshake {
  readonly #now: () => number;
  readonly #fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
  #state: ServerState = { at: 'version' };
  #form: 'simple' | 'digest' | undefined;

  constructor(sources: HandshakeSources = {}) {
    this.#now = sources.now ?? uptimeMs;
    this.#fillRandom = sources.fillRandom ?? randomFillSync;
  }

  /** How the client was answered, for logs. `undefined` before C1 is whole. */
  get form(): 'simple' | 'digest' | undefined {
    return this.#form;
  }

  push(input: Uint8Array): HandshakeStep {
    let consumed = 0;
    let send: Uint8Array = nothing;

    if (this.#state.at === 'version' && input.length > 0) {
      const first = input[0]!;
      if (first >= 32) throw wrongVersion(first);
      this.#state = { at: 'c1', packet: new Uint8Array(1 + handshakePacketBytes), filled: 0 };
    }
    if (this.#state.at === 'c1') {
      const state = this.#state;
      consumed = Math.min(state.packet.length - state.filled, input.length);
      state.packet.set(input.subarray(0, consumed), state.filled);
      state.filled += consumed;
      if (state.filled >= 2 && state.packet[0] === 0x16 && state.packet[1] === 3) throw wrongVersion(0x16);
      if (state.filled === state.packet.length) {
        send = this.#answer(state.packet.subarray(1));
        this.#state = { at: 'c2', missing: handshakePacketBytes };
      }
    }
    if (this.#state.at === 'c2') {
      const taken = Math.min(this.#state.missing, input.length - consumed);
      consumed += taken;
      this.#state.missing -= taken;
      if (this.#state.missing === 0) this.#state = { at: 'done' };
    }
    return { send, consumed, done: this.#state.at === 'done' };
  }

  /** S0, S1 and S2 in one piece, once C1 is known. */
  #answer(c1: Uint8Array): Uint8Array {
    const answer = new Uint8Array(1 + 2 * handshakePacketBytes);
    this.#fillRandom(answer);
    answer[0] = version;
    const s1 = answer.subarray(1, 1 + handshakePacketBytes);
    const s2 = answer.subarray(1 + handshakePacketBytes);
    writeU32(s1, 0, this.#now());

    const asksForDigest = c1[4] !== 0 || c1[5] !== 0 || c1[6] !== 0 || c1[7] !== 0;
    const found = asksForDigest ? findDigest(c1, playerKeys.digest) : undefined;
    if (found === undefined) {
      this.#form = 'simple';
      // FFmpeg plays nothing when a version stands here without a digest.
      writeU32(s1, 4, 0);
      s2.set(c1);
      writeU32(s2, 4, this.#now());
    } else {
      this.#form = 'digest';
      s1.set(serverVersion, 4);
      writeDigest(s1, found.base, serverKeys.digest);
      s2.set(signature(s2, serverKeys.signature, found.digest), signatureAt);
    }
    return answer;
  }
}

/** The client's side in the simple form, which every server accepts. Send what `start` returns first. */
export class ClientHandshake implements Handshake {
  readonly #now: () => number;
  readonly #fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** S0, S1 and S2. */
  readonly #answer = new Uint8Array(1 + 2 * handshakePacketBytes);
  #filled = 0;

  constructor(sources: HandshakeSources = {}) {
    this.#now = sources.now ?? uptimeMs;
    this.#fillRandom = sources.fillRandom ?? randomFillSync;
  }

  /** C0 and C1. */
  start(): Uint8Array {
    const packet = new Uint8Array(1 + handshakePacketBytes);
    this.#fillRandom(packet);
    packet[0] = version;
    writeU32(packet, 1, this.#now());
    writeU32(packet, 5, 0);
    return packet;
  }

  /** Asks for C2 to be sent once S1 is whole, and is done when S2 is. */
  push(input: Uint8Array): HandshakeStep {
    const answer = this.#answer;
    const before = this.#filled;
    const consumed = Math.min(answer.length - before, input.length);
    answer.set(input.subarray(0, consumed), before);
    const after = before + consumed;
    this.#filled = after;
    if (after > 0 && answer[0]! >= 32) throw wrongVersion(answer[0]!);

    const s1End = 1 + handshakePacketBytes;
    const send = before < s1End && after >= s1End ? this.#echo(answer.subarray(1, s1End)) : nothing;
    return { send, consumed, done: after === answer.length };
  }

  #echo(s1: Uint8Array): Uint8Array {
    const c2 = s1.slice();
    writeU32(c2, 4, this.#now());
    return c2;
  }
}

/** Looks in both places, where Flash Player puts it first. `undefined`: the packet is of the simple form. */
export function findDigest(packet: Uint8Array, key: Uint8Array): PacketDigest | undefined {
  for (const base of [772, 8] as const) {
    const position = digestPosition(packet, base);
    const digest = packet.subarray(position, position + digestBytes);
    if (Buffer.compare(packetDigest(packet, position, key), digest) === 0) return { base, position, digest };
  }
  return undefined;
}

/** Whether S2 or C2 was signed by who knows the key, for the digest that its receiver had sent. */
export function isSigned(packet: Uint8Array, key: Uint8Array, peerDigest: Uint8Array): boolean {
  return Buffer.compare(signature(packet, key, peerDigest), packet.subarray(signatureAt)) === 0;
}

function writeDigest(packet: Uint8Array, base: DigestBase, key: Uint8Array): void {
  const position = digestPosition(packet, base);
  packet.set(packetDigest(packet, position, key), position);
}

/** Four bytes at the base say where in their block the digest lies. */
function digestPosition(packet: Uint8Array, base: DigestBase): number {
  const sum = packet[base]! + packet[base + 1]! + packet[base + 2]! + packet[base + 3]!;
  return base + 4 + (sum % 728);
}

function packetDigest(packet: Uint8Array, position: number, key: Uint8Array): Buffer {
  return createHmac('sha256', key)
    .update(packet.subarray(0, position))
    .update(packet.subarray(position + digestBytes, handshakePacketBytes))
    .digest();
}

function signature(packet: Uint8Array, key: Uint8Array, peerDigest: Uint8Array): Buffer {
  const signatureKey = createHmac('sha256', key).update(peerDigest).digest();
  return createHmac('sha256', signatureKey).update(packet.subarray(0, signatureAt)).digest();
}

function wrongVersion(first: number): StagewireError {
  const seen = `0x${first.toString(16).padStart(2, '0')}`;
  return new StagewireError(
    'E_HANDSHAKE_VERSION',
    'peer',
    `the connection began with the byte ${seen} instead of 0x03${guessProtocol(first)}`,
  );
}

function guessProtocol(first: number): string {
  // G of GET, P of POST and PUT, and the record type of a TLS handshake.
  if (first === 0x47 || first === 0x50) return ': this looks like HTTP';
  if (first === 0x16) return ': this looks like TLS (an rtmps address?)';
  return '';
}

function withTail(name: Uint8Array): Uint8Array {
  return Buffer.concat([name, Buffer.from(keyTail, 'hex')]);
}

function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

function uptimeMs(): number {
  return Math.floor(performance.now());
}
