import type { StagewireError } from '../base/errors.ts';

/** What a connection needs of what carries its bytes both ways. Node's sockets are such, and the tunnel through HTTP. */
export interface ByteStream {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  /** Through HTTP: clients name the protocol differently then. */
  readonly isTunnel?: boolean;
  /** Written but not yet taken by who carries it. */
  readonly writableLength: number;
  readonly destroyed: boolean;
  /** `onWritten` is called once, whatever becomes of the bytes; nobody may change them before. */
  write(bytes: Uint8Array, onWritten?: () => void): unknown;
  cork(): void;
  uncork(): void;
  pause(): unknown;
  resume(): unknown;
  isPaused(): boolean;
  setNoDelay(isOn: boolean): unknown;
  /** Ends once all that was written is taken. */
  end(): unknown;
  destroy(): unknown;
  /** As `destroy`, where the peer can be told why. */
  fail?(error: StagewireError): void;
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  on(event: 'close' | 'error', listener: () => void): unknown;
}
