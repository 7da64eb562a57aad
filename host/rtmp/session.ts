import { walkAmf0 } from '../../wire/amf-walk.ts';
import { CapsEx, forwardsAll } from '../../wire/codecs.ts';
import {
  type CommandHead,
  commandMessage,
  decodeCommandValues,
  encodeCommand,
  encodeCommandAround,
  readCommandHead,
} from '../../wire/commands.ts';
import {
  controlMessage,
  encodeSetPeerBandwidth,
  encodeWindowAckSize,
  isKnownType,
  MessageType,
  PeerBandwidthLimit,
  type RtmpMessage,
  splitAggregate,
} from '../../wire/messages.ts';
import { describe, type StatusCode, status } from '../../wire/status.ts';
import { parseStreamName, type StreamName } from '../../wire/stream-name.ts';
import { encodeUserControl, UserControlType } from '../../wire/user-control.ts';
import type { AmfLimits, AmfValue } from '../../wire/values.ts';
import { StagewireError } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import { BandwidthCheck } from './bandwidth-check.ts';
import { type ConnectCommand, readConnect, requestOf } from './connect-command.ts';
import { serialize } from './format.ts';
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
  Transport,
} from './ports.ts';
import { type StreamCommand, streamCommands } from './stream-commands.ts';

/** Clients show H.264 and AAC only to a server that calls itself Flash Media Server 3 or later. */
const FMS_VERSION = 'FMS/4,5,0,297';
const CAPABILITIES = 255;
const WINDOW_BYTES = 2_500_000;
/** For the few values that the host itself decodes, on the thread that serves everybody. */
const HOST_LIMITS: AmfLimits = { depth: 16, values: 2048 };
const MAX_ARGS = 4;

type State =
  | { at: 'new' }
  /** The script has not decided; `held` waits for it. */
  | { at: 'pending'; seat: Seat; transaction: number; connect: ConnectCommand; held: RtmpMessage[] }
  | { at: 'connected'; seat: Seat; objectEncoding: 0 | 3 }
  | { at: 'closed' };

/**
 * One NetConnection: connect, calls both ways, streams (RTMP 1.0, section 7.2). It knows messages, not chunks,
 * so that every transport shares it.
 */
export class Session implements ClientEnd {
  readonly #transport: Transport;
  readonly #lobby: Lobby;
  readonly #limits: Limits;
  readonly #amfLimits: AmfLimits;
  readonly #announceChunkSize: () => void;
  readonly #streams = new Map<number, StreamEnd>();
  readonly #invokes = new Map<number, InvokeId>();
  #check: BandwidthCheck | undefined;
  #state: State = { at: 'new' };
  #nextTransaction = 1;
  #unknownTypes = 0;
  #malformedCommands = 0;

  constructor(transport: Transport, lobby: Lobby, limits: Limits, announceChunkSize: () => void = () => {}) {
    this.#transport = transport;
    this.#lobby = lobby;
    this.#limits = limits;
    this.#amfLimits = { depth: limits.amfDepth, values: limits.amfValues };
    this.#announceChunkSize = announceChunkSize;
  }

  onMessage(message: RtmpMessage): void {
    if (this.#state.at === 'closed') return;
    if (isKnownType(message.type)) this.#unknownTypes = 0;
    else if (++this.#unknownTypes >= this.#limits.unknownTypesInARow) {
      throw new StagewireError(
        'E_UNKNOWN_TYPES',
        'peer',
        `${this.#unknownTypes} messages of unknown type in a row`,
      );
    }

    switch (message.type) {
      case MessageType.Audio:
      case MessageType.Video:
        this.#streams.get(message.streamId)?.media(message);
        return;
      case MessageType.Aggregate:
        for (const part of splitAggregate(message)) this.onMessage(part);
        return;
      case MessageType.DataAmf0:
      case MessageType.DataAmf3:
        this.#data(message);
        return;
      case MessageType.CommandAmf0:
      case MessageType.CommandAmf3:
        this.#command(message);
        return;
      case MessageType.SharedObjectAmf0:
      case MessageType.SharedObjectAmf3:
        this.#sharedObject(message);
        return;
    }
  }

  onBuffer(streamId: number, bufferMs: number): void {
    this.#streams.get(streamId)?.setBuffer(bufferMs);
  }

  onPlayed(streamId: number, timestamp: number): void {
    this.#streams.get(streamId)?.played(timestamp);
  }

  onMakesKeyFrames(streamId: number): void {
    this.#streams.get(streamId)?.makesKeyFrames();
  }

  onIdle(): void {
    this.disconnect({
      code: 'NetConnection.Connect.IdleTimeout',
      description: 'The client was idle for too long.',
    });
  }

  onClose(): void {
    this.#leave();
  }

  // What the instance does to the client.

  accept(): void {
    const state = this.#state;
    if (state.at !== 'pending') return;
    const { seat, connect } = state;
    this.#state = { at: 'connected', seat, objectEncoding: connect.objectEncoding };
    this.#transport.accepted();
    const info = {
      ...status('NetConnection.Connect.Success', describe.connected()),
      objectEncoding: connect.objectEncoding,
      data: { version: FMS_VERSION.slice(4) },
    };
    const properties = { fmsVer: FMS_VERSION, capabilities: CAPABILITIES, mode: 1, ...extended(connect) };
    this.#send(encodeCommand('_result', state.transaction, properties, info));
    try {
      for (const message of state.held) this.onMessage(message);
    } catch (error) {
      this.#transport.fail(error);
    }
  }

  reject(info: Uint8Array): void {
    if (this.#state.at === 'pending')
      this.#refuse(encodeCommandAround('_error', this.#state.transaction, info));
  }

  result(transaction: number, value: Uint8Array): void {
    this.#send(encodeCommandAround('_result', transaction, value));
  }

  error(transaction: number, info: Uint8Array): void {
    this.#send(encodeCommandAround('_error', transaction, info));
  }

  invoke(method: string, request: InvokeId | undefined, args: Uint8Array): void {
    if (request === undefined) {
      this.#send(encodeCommandAround(method, 0, args));
      return;
    }
    const transaction = this.#nextTransaction++;
    this.#invokes.set(transaction, request);
    this.#send(encodeCommandAround(method, transaction, args));
  }

  get format(): string {
    return this.#transport.format.name;
  }

  get objectEncoding(): 0 | 3 {
    return this.#state.at === 'connected' ? this.#state.objectEncoding : 0;
  }

  serialize(message: RtmpMessage): Buffer {
    return serialize(this.#transport.format, message, message.streamId);
  }

  deliver(bytes: Buffer, messages: number): void {
    this.#transport.write(bytes, messages);
  }

  get traffic(): Traffic {
    return this.#transport.traffic;
  }

  ping(): boolean {
    return this.#transport.ping();
  }

  checkBandwidth(): void {
    const maxMs = this.#limits.bandwidthCheckMs;
    if (maxMs === 0 || this.#state.at !== 'connected' || this.#check?.isOver === false) return;
    this.#check = new BandwidthCheck(maxMs, (method, check, args) => this.invoke(method, check, args));
  }

  limitBandwidth(limits: BandwidthLimits): void {
    this.#transport.limitBandwidth(limits);
  }

  requestReconnect(tcUrl: string): void {
    const info = status('NetConnection.Connect.ReconnectRequest', 'Please connect again.');
    this.#send(encodeCommand('onStatus', 0, null, tcUrl === '' ? info : { ...info, tcUrl }));
  }

  setReading(isReading: boolean): void {
    this.#transport.setReading(isReading);
  }

  get queuedBytes(): number {
    return this.#transport.queuedBytes;
  }

  drop(code: string, text: string): void {
    this.#transport.fail(new StagewireError(code, 'peer', text));
  }

  disconnect(why?: Refusal): void {
    const state = this.#state;
    if (state.at === 'closed') return;
    if (state.at === 'pending' && why) {
      this.#refuseWith(state.transaction, why);
      return;
    }
    if (why) this.#send(encodeCommand('onStatus', 0, null, status(why.code, why.description)));
    this.#end();
  }

  // What the client does.

  #command(message: RtmpMessage): void {
    let head: CommandHead = { name: '', transaction: 0, valuesAt: 0, format: 0 };
    let valueCount: number;
    try {
      head = readCommandHead(message);
      if (head.format !== 0 && head.format !== 3) throw unknownFormat(head.format);
      valueCount = walkAmf0(message.payload, head.valuesAt, message.payload.length, this.#amfLimits);
    } catch (error) {
      return this.#malformed(head, error);
    }
    const state = this.#state;
    if (state.at === 'new') {
      if (head.name !== 'connect') {
        throw new StagewireError(
          'E_NOT_CONNECTED',
          'peer',
          `"${head.name.slice(0, 80)}" came before connect`,
        );
      }
      this.#connect(head, message, valueCount - 3);
    } else if (state.at === 'pending') {
      this.#hold(state, message);
    } else if (state.at === 'connected') {
      this.#connectedCommand(state.seat, head, message);
    }
  }

  /** Until the client is accepted. */
  #hold({ held, transaction }: State & { at: 'pending' }, message: RtmpMessage): void {
    if (held.length < this.#limits.pendingCommands)
      held.push({ ...message, payload: message.payload.slice() });
    else this.#refuseWith(transaction, rejected('Too many commands before the connection was accepted.'));
  }

  /** Answers where somebody waits for an answer, and gives up on a peer that goes on like this. */
  #malformed({ name, transaction }: CommandHead, error: unknown): void {
    const isTolerable = error instanceof StagewireError && this.#state.at === 'connected';
    if (!isTolerable || ++this.#malformedCommands > this.#limits.malformedCommands) throw error;
    const description = `${name.slice(0, 80)}: ${error.message}.`;
    if (error.code === 'E_FORMAT') {
      const info = status('NetConnection.Call.BadVersion', description);
      this.#send(encodeCommand(transaction === 0 ? 'onStatus' : '_error', transaction, null, info));
    } else if (transaction !== 0) this.#callFailed(transaction, description);
  }

  #connect(head: CommandHead, message: RtmpMessage, argCount: number): void {
    const connect = readConnect(message, HOST_LIMITS);
    this.#transport.codecs = connect.codecs;
    this.#transport.marksLoops = connect.marksLoops;
    this.#greet();
    if (argCount > this.#limits.connectArgs) {
      this.#refuseWith(
        head.transaction,
        rejected(`connect takes at most ${this.#limits.connectArgs} arguments`),
      );
      return;
    }
    let request: ConnectRequest;
    try {
      request = requestOf(connect, this.#transport, message);
    } catch (error) {
      if (!(error instanceof StagewireError)) throw error;
      this.#refuseWith(head.transaction, rejected(serverReject(error.message)));
      return;
    }

    const seat = this.#lobby.connect(request, this);
    if ('code' in seat)
      this.#refuseWith(head.transaction, { ...seat, description: serverReject(seat.description) });
    else this.#state = { at: 'pending', seat, transaction: head.transaction, connect, held: [] };
  }

  /** What comes before the answer to connect; clients accept it while they wait (RTMP 1.0, section 7.2.1.1). */
  #greet(): void {
    const bandwidth = { windowBytes: WINDOW_BYTES, limit: PeerBandwidthLimit.Dynamic };
    this.#transport.send(controlMessage(MessageType.WindowAckSize, encodeWindowAckSize(WINDOW_BYTES)));
    this.#transport.send(controlMessage(MessageType.SetPeerBandwidth, encodeSetPeerBandwidth(bandwidth)));
    this.#announceChunkSize();
    const begin = encodeUserControl({ type: UserControlType.StreamBegin, streamId: 0 });
    this.#transport.send(controlMessage(MessageType.UserControl, begin));
  }

  #refuseWith(transaction: number, { code, description }: Refusal): void {
    const refusal = (told: StatusCode) =>
      encodeCommand('_error', transaction, null, status(told, description));
    if (code !== 'NetConnection.Connect.InvalidApp') return this.#refuse(refusal(code));
    // Clients act on the answer, and know it as Rejected; those of the first servers look for a status.
    this.#send(refusal('NetConnection.Connect.Rejected'));
    this.#refuse(encodeCommand('onStatus', 0, null, status(code, description)));
  }

  #refuse(answer: Uint8Array): void {
    this.#send(answer);
    this.#end();
  }

  /** The client is out from now on; its socket stays for a moment, so that it can read why. */
  #end(): void {
    this.#send(encodeCommand('close', 0, null));
    this.#leave();
    this.#transport.close(this.#limits.rejectLingerMs);
  }

  #leave(): void {
    const state = this.#state;
    this.#state = { at: 'closed' };
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
    this.#invokes.clear();
    if (state.at === 'pending' || state.at === 'connected') state.seat.leave();
  }

  #connectedCommand(seat: Seat, head: CommandHead, message: RtmpMessage): void {
    const { name, transaction } = head;
    const command = { type: message.type, body: message.payload };
    switch (name) {
      case '_result':
      case '_error': {
        const request = this.#invokes.get(transaction);
        this.#invokes.delete(transaction);
        if (request instanceof BandwidthCheck) request.answered(name === '_result');
        else if (request) seat.reply(request, name === '_result', command);
        return;
      }
      case 'createStream':
        return this.#createStream(seat, transaction);
      case 'deleteStream':
        return this.#deleteStream(this.#values(message).args[0], transaction);
      case 'getStreamLength':
      case 'releaseStream':
      case '_checkbw':
      case 'checkBandwidth':
      case 'FCPublish':
      case 'FCUnpublish':
      case 'FCSubscribe':
      case 'FCUnsubscribe':
        return this.#encoderCommand(seat, head, message);
      case 'close':
        return this.#transport.close(0);
      case 'connect':
      case 'onStatus':
      case 'initStream':
      case '@setDataFrame':
      case 'setPeerInfo':
        // Reserved: these never reach the application as calls.
        if (transaction !== 0) this.#callFailed(transaction, `${name} is not a method.`);
        return;
      default: {
        const run = streamCommands.get(name);
        if (run) this.#streamCommand(run, head, message);
        else seat.call(name, transaction, command);
      }
    }
  }

  /** What encoders and players expect of every server: answered here when the script does not. */
  #encoderCommand(seat: Seat, { name, transaction }: CommandHead, message: RtmpMessage): void {
    const [wanted] = this.#values(message).args;
    const details = typeof wanted === 'string' ? wanted : '';
    seat.callOr(name, transaction, { type: message.type, body: message.payload }, () => {
      if (name === 'getStreamLength') return this.#tellLength(seat, transaction, details);
      if (transaction !== 0) this.#send(encodeCommand('_result', transaction, null, undefined));
      if (name === 'checkBandwidth') this.checkBandwidth();
      const notice = ENCODER_NOTICES[name];
      if (notice) this.#send(encodeCommand(`on${name}`, 0, null, { ...status(notice, details), details }));
    });
  }

  /** Seconds of a recorded stream, 0 for what is none (FFmpeg asks before it plays). */
  #tellLength(seat: Seat, transaction: number, name: string): void {
    if (transaction === 0) return;
    let stream: StreamName;
    try {
      stream = parseStreamName(name);
    } catch {
      return this.#send(encodeCommand('_result', transaction, null, 0));
    }
    void seat.streamLength(stream).then((seconds) => {
      if (this.#state.at === 'connected') this.#send(encodeCommand('_result', transaction, null, seconds));
    });
  }

  #createStream(seat: Seat, transaction: number): void {
    let id = 1;
    while (this.#streams.has(id)) id++;
    if (this.#streams.size >= this.#limits.streamsPerConnection) {
      this.#callFailed(transaction, `${this.#streams.size} streams are open, and that is the limit.`);
      return;
    }
    this.#streams.set(id, seat.openStream(id, this.#transport));
    if (transaction !== 0) this.#send(encodeCommand('_result', transaction, null, id));
  }

  #deleteStream(id: AmfValue, transaction: number): void {
    if (typeof id === 'number') {
      this.#streams.get(id)?.close();
      this.#streams.delete(id);
    } else {
      // GStreamer sends the stream's name: with one stream there is no doubt which.
      this.#onlyStream()?.close();
    }
    if (transaction !== 0) this.#send(encodeCommand('_result', transaction, null, undefined));
  }

  #streamCommand(run: StreamCommand, { name, transaction }: CommandHead, message: RtmpMessage): void {
    // Some clients send stream commands on message stream 0 when they have only one.
    const stream = this.#streams.get(message.streamId) ?? this.#onlyStream();
    if (!stream) {
      if (transaction !== 0)
        this.#callFailed(transaction, `${name}: there is no stream ${message.streamId}.`);
      return;
    }
    // The outcome is told by onStatus; nobody waits for an answer to the command itself.
    run(stream, this.#values(message).args);
  }

  #data(message: RtmpMessage): void {
    const stream = this.#streams.get(message.streamId) ?? this.#publishingStream();
    if (!stream) return;
    try {
      const isAmf3 = message.type === MessageType.DataAmf3 && message.payload[0] !== 2;
      walkAmf0(message.payload, isAmf3 ? 1 : 0, message.payload.length, this.#amfLimits);
    } catch (error) {
      // A malformed data message is dropped, the stream goes on.
      if (error instanceof StagewireError) return;
      throw error;
    }
    stream.media(message);
  }

  #sharedObject(message: RtmpMessage): void {
    const state = this.#state;
    if (state.at === 'pending') return this.#hold(state, message);
    if (state.at !== 'connected') return;
    try {
      state.seat.sharedObject(message);
    } catch (error) {
      this.#malformed({ name: 'shared object', transaction: 0, valuesAt: 0, format: 0 }, error);
    }
  }

  /** Throws, and so ends the connection, for values that no client has reason to put into these commands. */
  #values(message: RtmpMessage) {
    return decodeCommandValues(message, HOST_LIMITS, MAX_ARGS);
  }

  #onlyStream(): StreamEnd | undefined {
    return this.#streams.size === 1 ? this.#streams.values().next().value : undefined;
  }

  #publishingStream(): StreamEnd | undefined {
    for (const stream of this.#streams.values()) if (stream.isPublishing) return stream;
    return undefined;
  }

  #callFailed(transaction: number, description: string): void {
    this.#send(encodeCommand('_error', transaction, null, status('NetConnection.Call.Failed', description)));
  }

  #send(payload: Uint8Array): void {
    this.#transport.send(commandMessage(payload));
  }
}

const ENCODER_NOTICES: Record<string, Parameters<typeof status>[0]> = {
  FCPublish: 'NetStream.Publish.Start',
  FCUnpublish: 'NetStream.Unpublish.Success',
  FCSubscribe: 'NetStream.Play.Start',
  FCUnsubscribe: 'NetStream.Play.Stop',
};

/** What the server can do, for clients that say the same of themselves (Enhanced RTMP v2, `capsEx` and the maps of codecs). */
function extended({ capsEx, isEnhanced }: ConnectCommand): Readonly<Record<string, unknown>> {
  const all = CapsEx.Reconnect | CapsEx.Multitrack | CapsEx.ModEx;
  return { ...(capsEx !== undefined && { capsEx: all }), ...(isEnhanced && forwardsAll) };
}

function unknownFormat(format: number): StagewireError {
  return new StagewireError('E_FORMAT', 'peer', `values in format ${format}, which is neither AMF0 nor AMF3`);
}

function rejected(description: string): Refusal {
  return { code: 'NetConnection.Connect.Rejected', description };
}

function serverReject(reason: string): string {
  return `[ Server.Reject ] : (_defaultRoot_, _defaultVHost_) : ${reason}`;
}
