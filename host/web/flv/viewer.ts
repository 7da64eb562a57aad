import { Amf0Decoder } from '../../../wire/amf0.ts';
import { ByteReader } from '../../../wire/bytes.ts';
import { decodeCommandValues, encodeCommand } from '../../../wire/commands.ts';
import { MessageType, type RtmpMessage } from '../../../wire/messages.ts';
import { status, statusLevels } from '../../../wire/status.ts';
import type { AmfLimits, AmfValue } from '../../../wire/values.ts';
import { StagewireError } from '../../base/errors.ts';
import type { Limits } from '../../base/limits.ts';
import type {
  BandwidthLimits,
  ClientEnd,
  ConnectRequest,
  InvokeId,
  Lobby,
  Refusal,
  Seat,
  StreamEnd,
  Traffic,
} from '../../rtmp/ports.ts';
import type { FlvAddress } from './address.ts';
import type { Answer, Problem } from './answer.ts';
import { FlvTransport } from './transport.ts';

/** For what the host reads of an answer of the script's. */
const INFO_LIMITS: AmfLimits = { depth: 16, values: 2048 };
const STREAM_ID = 1;
const LIVE_OR_RECORDED = -2000;

type State =
  | { at: 'new' }
  /** The script has not decided. */
  | { at: 'pending'; seat: Seat }
  | { at: 'playing'; seat: Seat; stream: StreamEnd }
  | { at: 'closed' };

export interface ViewerEvents {
  onDrop(error: StagewireError): void;
  onClose(): void;
}

/**
 * Someone who watches one stream over HTTP: a client like those of RTMP, which connects and plays, and then only takes
 * what comes. What such a client would be told becomes the answer's status, or its end.
 */
export class FlvViewer implements ClientEnd {
  readonly #transport: FlvTransport;
  readonly #limits: Limits;
  readonly #address: FlvAddress;
  #state: State = { at: 'new' };
  #wait: NodeJS.Timeout | undefined;

  constructor(answer: Answer, address: FlvAddress, isSecure: boolean, limits: Limits, events: ViewerEvents) {
    this.#address = address;
    this.#limits = limits;
    this.#transport = new FlvTransport(answer, isSecure, limits, {
      onCommand: (message) => this.#hear(message),
      onBegin: () => clearTimeout(this.#wait),
      onDrop: (error) => events.onDrop(error),
      onClose: () => {
        this.#leave();
        events.onClose();
      },
    });
  }

  connect(lobby: Lobby, { uri, agent, referrer, pageUrl }: Origin): void {
    const { app, instance, query } = this.#address;
    const { address, protocol, isSecure } = this.#transport;
    const object = { app: `${app}/${instance}`, tcUrl: uri, flashVer: agent, swfUrl: referrer, pageUrl };
    const request: ConnectRequest = {
      ...{ app, instance, query, uri, agent, referrer, pageUrl, address, protocol, isSecure },
      canReconnect: false,
      objectEncoding: 0,
      command: { type: MessageType.CommandAmf0, body: encodeCommand('connect', 1, object) },
    };
    const seat = lobby.connect(request, this);
    if ('code' in seat) this.#refuse(problemOf(seat));
    else this.#state = { at: 'pending', seat };
  }

  /** Called about once a second. */
  tick(now: number): void {
    const { idleClientMs } = this.#limits;
    if (this.#state.at !== 'playing' || idleClientMs === 0) return;
    if (now - this.#transport.activeAt > idleClientMs)
      this.disconnect({
        code: 'NetConnection.Connect.IdleTimeout',
        description: 'The client was idle for too long.',
      });
  }

  // What the instance does to the client.

  accept(): void {
    const state = this.#state;
    if (state.at !== 'pending') return;
    const { httpPlayWaitMs } = this.#limits;
    const stream = state.seat.openStream(STREAM_ID, this.#transport);
    this.#state = { at: 'playing', seat: state.seat, stream };
    this.#wait = setTimeout(() => this.#refuse(nothingToSee(this.#address)), httpPlayWaitMs);
    stream.play({
      stream: this.#address.stream,
      startMs: LIVE_OR_RECORDED,
      durationMs: -1,
      isReset: true,
      isAtOnce: false,
    });
  }

  reject(info: Uint8Array): void {
    if (this.#state.at === 'pending') this.#refuse({ status: 403, ...readInfo(info) });
  }

  result(): void {}

  error(): void {}

  invoke(_method: string, request: InvokeId | undefined): void {
    const state = this.#state;
    if (request === undefined || state.at !== 'playing') return;
    const info = status('NetConnection.Call.Failed', 'A viewer over HTTP has no methods.');
    const body = encodeCommand('_error', 0, null, info);
    // Later: the script is in the middle of its turn.
    setImmediate(() => {
      if (this.#state === state) state.seat.reply(request, false, { type: MessageType.CommandAmf0, body });
    });
  }

  get format(): string {
    return this.#transport.format.name;
  }

  readonly objectEncoding = 0;

  /** Calls of all clients are not for this one. */
  serialize(): Buffer {
    return Buffer.alloc(0);
  }

  deliver(): void {}

  checkBandwidth(): void {}

  get traffic(): Traffic {
    return this.#transport.traffic;
  }

  ping(): boolean {
    return this.#transport.ping();
  }

  limitBandwidth(limits: BandwidthLimits): void {
    this.#transport.limitBandwidth(limits);
  }

  requestReconnect(): void {}

  setReading(): void {}

  get queuedBytes(): number {
    return this.#transport.queuedBytes;
  }

  drop(code: string, text: string): void {
    this.#transport.fail(new StagewireError(code, 'peer', text));
  }

  disconnect(why?: Refusal): void {
    if (this.#state.at === 'closed') return;
    this.#refuse(why ? problemOf(why) : { status: 403, ...closed });
  }

  /** A status of the stream: RTMP 1.0, section 7.2.2. */
  #hear(message: RtmpMessage): void {
    const { code, description } = infoOf(decodeCommandValues(message, INFO_LIMITS, 1).args[0]);
    if (code === 'NetStream.Play.Stop') this.#end();
    else if (code.startsWith('NetStream.Play.') && levelOf(code) === 'error')
      this.#refuse({ status: STATUS_OF[code] ?? 500, code, description });
  }

  /** After the first byte there is no telling any more. */
  #refuse(problem: Problem): void {
    if (this.#transport.hasBegun) return this.#end();
    this.#leave();
    this.#transport.refuse(problem);
  }

  #end(): void {
    this.#leave();
    if (this.#transport.hasBegun) this.#transport.close(this.#limits.rejectLingerMs);
    else this.#transport.refuse(nothingToSee(this.#address));
  }

  #leave(): void {
    const state = this.#state;
    this.#state = { at: 'closed' };
    clearTimeout(this.#wait);
    if (state.at === 'playing') state.stream.close();
    if (state.at === 'pending' || state.at === 'playing') state.seat.leave();
  }
}

/** Where the request came from. */
export interface Origin {
  uri: string;
  agent: string;
  referrer: string;
  pageUrl: string;
}

/** `authorizePlay` and access strings refuse with Play.Failed. */
const STATUS_OF: Readonly<Record<string, number>> = {
  'NetStream.Play.Failed': 403,
  'NetStream.Play.StreamNotFound': 404,
};

const closed = { code: 'NetConnection.Connect.Closed', description: 'The application has disconnected it.' };

function problemOf({ code, description }: Refusal): Problem {
  const isGone = code === 'NetConnection.Connect.AppShutdown';
  return {
    status: code === 'NetConnection.Connect.InvalidApp' ? 404 : isGone ? 503 : 403,
    code,
    description,
  };
}

function nothingToSee({ stream: { name } }: FlvAddress): Problem {
  return {
    status: 404,
    code: 'NetStream.Play.StreamNotFound',
    description: `Nobody publishes ${name}.`,
  };
}

function readInfo(info: Uint8Array): { code: string; description: string } {
  try {
    return infoOf(new Amf0Decoder(new ByteReader(info), INFO_LIMITS).value());
  } catch (error) {
    if (!(error instanceof StagewireError)) throw error;
    return infoOf(undefined);
  }
}

function infoOf(value: AmfValue): { code: string; description: string } {
  const { code, description } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  return {
    code: typeof code === 'string' ? code : 'NetConnection.Connect.Rejected',
    description: typeof description === 'string' ? description : '',
  };
}

function levelOf(code: string): string {
  return Object.hasOwn(statusLevels, code) ? statusLevels[code as keyof typeof statusLevels] : '';
}
