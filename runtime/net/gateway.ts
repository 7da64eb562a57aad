import type { Fetched } from '../fetch.ts';
import type { Carrier } from '../host-side.ts';
import type { FailureInfo } from '../invocations.ts';
import {
  after,
  append,
  argumentsOf,
  charCodeAt,
  decodeRemoting,
  decodeUtf8,
  describe,
  encodeRemoting,
  exchange,
  findIn,
  hasOwn,
  invocations,
  later,
  lengthOf,
  maxFetchBytes,
  NativeRangeError,
  NativeTypeError,
  SafeMap,
  shown,
  sliceOf,
} from '../shared.ts';

/** Type of what is sent, and version of the packet: that of Flash Player 8 and those before (AMF 0 specification, section 4). */
const CONTENT_TYPE = 'application/x-amf';
const VERSION = 0;
/** Calls of one packet, and of one gateway that wait for the next. */
const MAX_CALLS = 100;
const MAX_WAITING = 1000;
const MAX_URL = 8192;
const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 64 * 1024;
/** What a packet has around its calls, and around each: more than there is. */
const FRAME_BYTES = 64;
/** Of an answer that is no AMF: what is shown of it. */
const SHOWN_BYTES = 40;

interface Header {
  name: string;
  mustUnderstand: boolean;
  value: Uint8Array;
}

interface Call {
  /** What the answer names it by. */
  id: number;
  /** Who waits for the answer; 0 for nobody. */
  request: number;
  method: string;
  args: Uint8Array;
  isAnswered: boolean;
}

/** The headers that go with every packet of a connection, whatever it is connected to (NetConnection.addHeader). */
export class GatewayHeaders {
  readonly #headers = new SafeMap<string, Header>();
  #bytes = 0;

  /** Takes the place of one of that name; `undefined` removes it. Throws for what AMF cannot say, and for too much. */
  set(member: string, name: unknown, mustUnderstand: boolean, value: unknown): void {
    if (typeof name !== 'string' || name === '')
      throw new NativeTypeError(`${member}: expected the name of a header, got ${shown(name)}`);
    const bytes = argumentsOf(member, [value]);
    const before = this.#headers.get(name);
    const without = this.#bytes - (before ? sizeOf(before) : 0);
    if (value === undefined) {
      this.#headers.delete(name);
      this.#bytes = without;
      return;
    }
    const header = { name, mustUnderstand, value: bytes };
    if (without + sizeOf(header) > MAX_HEADER_BYTES)
      throw new NativeRangeError(
        `${member}: headers of ${without + sizeOf(header)} bytes, and ${MAX_HEADER_BYTES} may go with a packet`,
      );
    if (!before && this.#headers.size >= MAX_HEADERS)
      throw new NativeRangeError(`${member}: more than ${MAX_HEADERS} headers`);
    this.#headers.set(name, header);
    this.#bytes = without + sizeOf(header);
  }

  get bytes(): number {
    return this.#bytes;
  }

  all(): Header[] {
    const list: Header[] = [];
    this.#headers.forEach((header) => {
      append(list, header);
    });
    return list;
  }
}

/**
 * Calls over HTTP to a gateway (Flash Remoting): those of one turn go in one packet, and the next packet when that one
 * is answered, so that calls arrive in order and what an answer says holds for all that follow.
 */
export class Gateway implements Carrier {
  /** Without what follows `?`. */
  readonly #shownUrl: string;
  readonly #headers: GatewayHeaders;
  /** Hears what no call hears. */
  readonly #onStatus: (info: unknown) => void;
  /** As the script has it, or the gateway since; and that with what the gateway wants behind it. */
  #base: string;
  #url: string;
  #waiting: Call[] = [];
  #underWay: Call[] = [];
  #cancel: (() => void) | undefined;
  #isScheduled = false;
  #isClosed = false;
  #nextId = 1;

  constructor(url: string, shownUrl: string, headers: GatewayHeaders, onStatus: (info: unknown) => void) {
    this.#base = this.#url = url;
    this.#shownUrl = shownUrl;
    this.#headers = headers;
    this.#onStatus = onStatus;
  }

  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  carry(request: number, method: string, args: Uint8Array): void {
    append(this.#waiting, { id: this.#nextId++, request, method, args, isAnswered: false });
    this.#schedule();
  }

  /** Who waits for an answer hears that there will be none, in a turn of its own. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    const { fail } = this;
    const info = failure('NetConnection.Call.Failed', 'The connection was closed');
    const left = [this.#underWay, this.#waiting];
    this.#underWay = this.#waiting = [];
    later(0, () => {
      fail(left[0]!, info);
      fail(left[1]!, info);
    });
  }

  /** After this turn, when no packet is under way. */
  #schedule(): void {
    if (this.#isScheduled || this.#underWay.length > 0) return;
    this.#isScheduled = true;
    later(0, () => {
      this.#isScheduled = false;
      if (!this.#isClosed && this.#waiting.length > 0) this.#send();
    });
  }

  #send(): void {
    const calls = this.#take();
    this.#underWay = calls;
    const done = (answer: Fetched | undefined, error: unknown) => {
      this.#cancel = undefined;
      this.#underWay = [];
      if (answer) this.#answered(calls, answer);
      else this.#failAll(calls, 'NetConnection.Call.Failed', describe(error).message);
      if (this.#waiting.length > 0) this.#schedule();
    };
    try {
      const bodies: { target: string; response: string; value: Uint8Array }[] = [];
      for (let i = 0; i < calls.length; i++) {
        const { id, method, args } = calls[i]!;
        append(bodies, { target: method, response: `/${id}`, value: args });
      }
      const packet = encodeRemoting({ version: VERSION, headers: this.#headers.all(), bodies });
      const cancel = exchange(this.#url, [['content-type', CONTENT_TYPE]], packet, done);
      if (this.#underWay === calls) this.#cancel = cancel;
    } catch (error) {
      done(undefined, error); // more than one turn may send
    }
  }

  /** As many of the calls that wait as fit in a packet: one at least. */
  #take(): Call[] {
    const waiting = this.#waiting;
    const most = maxFetchBytes();
    let bytes = FRAME_BYTES + this.#headers.bytes;
    let count = 0;
    while (count < waiting.length && count < MAX_CALLS) {
      const { method, args } = waiting[count]!;
      bytes += FRAME_BYTES + method.length * 3 + lengthOf(args);
      if (count > 0 && bytes > most) break;
      count++;
    }
    const calls: Call[] = [];
    for (let i = 0; i < count; i++) append(calls, waiting[i]!);
    this.#waiting = after(waiting, count) as Call[];
    return calls;
  }

  #answered(calls: Call[], { status, statusText, headers, body }: Fetched): void {
    if (status < 200 || status > 299)
      return this.#failAll(
        calls,
        'NetConnection.Call.Failed',
        `${this.#shownUrl}: HTTP: Status ${status} ${statusText}`,
      );
    let packet: ReturnType<typeof decodeRemoting>;
    try {
      packet = decodeRemoting(body);
    } catch (error) {
      let type = 'without a type';
      for (let i = 0; i < headers.length; i++) if (headers[i]![0] === 'content-type') type = headers[i]![1];
      const seen = `${describe(error).message}; ${lengthOf(body)} bytes, ${sliceOf(type, 0, 100)}${beginning(body)}`;
      return this.#failAll(calls, 'NetConnection.Call.BadVersion', `${this.#shownUrl}: no AMF: ${seen}`);
    }
    try {
      for (let i = 0; i < packet.headers.length; i++) {
        const { name, mustUnderstand, value } = packet.headers[i]!;
        this.#obey(name, mustUnderstand, value);
      }
    } catch (error) {
      const why = `${this.#shownUrl}: ${describe(error).message}`;
      return this.#failAll(calls, 'NetConnection.Call.Failed', why);
    }
    for (let i = 0; i < packet.bodies.length; i++) {
      const { target, value } = packet.bodies[i]!;
      this.#settle(calls, target, value);
    }
    this.fail(calls, failure('NetConnection.Call.Failed', `${this.#shownUrl}: no answer to this call`));
  }

  /** What a header of an answer asks for (Flash Remoting, as its NetServices had it). */
  #obey(name: string, mustUnderstand: boolean, value: unknown): void {
    switch (name) {
      case 'AppendToGatewayUrl':
        this.#url = urlOf(name, this.#base, value);
        return;
      case 'ReplaceGatewayUrl': {
        const url = urlOf(name, '', value);
        if (!isGateway(url))
          throw new NativeTypeError(`${name}: expected http: or https:, got ${shown(url)}`);
        this.#base = this.#url = url;
        return;
      }
      case 'RequestPersistentHeader': {
        if (typeof value !== 'object' || value === null)
          throw new NativeTypeError(`${name}: expected a header, got ${shown(value)}`);
        this.#headers.set(
          name,
          own(value, 'name'),
          own(value, 'mustUnderstand') === true,
          own(value, 'data'),
        );
        return;
      }
      default:
        if (mustUnderstand)
          throw new NativeTypeError(`the answer has a header ${shown(name)}, which is unknown`);
    }
  }

  #settle(calls: Call[], target: string, value: unknown): void {
    const slash = findIn(target, '/', 1);
    const kind = slash < 0 ? '' : sliceOf(target, slash + 1);
    if (kind !== 'onResult' && kind !== 'onStatus') return; // such as onDebugEvents
    const call = calls[idOf(target, slash) - calls[0]!.id];
    if (!call || call.isAnswered) return;
    call.isAnswered = true;
    if (call.request !== 0) invocations().settle(call.request, kind === 'onResult', value);
    else if (kind === 'onStatus') this.#onStatus(value);
  }

  /** Those that have no answer. */
  readonly fail = (calls: Call[], info: FailureInfo): void => {
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i]!;
      if (call.isAnswered) continue;
      call.isAnswered = true;
      if (call.request !== 0) invocations().settle(call.request, false, info);
    }
  };

  /** The packet has come to nothing: the connection hears of it, too. */
  #failAll(calls: Call[], code: string, description: string): void {
    const info = failure(code, description);
    this.fail(calls, info);
    if (!this.#isClosed) this.#onStatus(info);
  }
}

/** Whether calls to that address are HTTP. */
export function isGateway(url: string): boolean {
  return findIn(url, 'http:', 0) === 0 || findIn(url, 'https:', 0) === 0;
}

function failure(code: string, description: string): FailureInfo {
  return { level: 'error', code, description };
}

function sizeOf({ name, value }: Header): number {
  return FRAME_BYTES + name.length * 3 + lengthOf(value);
}

function own(object: object, key: string): unknown {
  return hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined;
}

function urlOf(header: string, base: string, value: unknown): string {
  if (typeof value !== 'string')
    throw new NativeTypeError(`${header}: expected an address, got ${shown(value)}`);
  if (base.length + value.length > MAX_URL)
    throw new NativeRangeError(
      `${header}: an address of ${base.length + value.length} characters; ${MAX_URL} are allowed`,
    );
  return base + value;
}

const ZERO = 0x30;

/** The number between the slash that a target begins with and that at `end`; NaN for anything else. */
function idOf(target: string, end: number): number {
  if (target.length === 0 || charCodeAt(target, 0) !== 0x2f || end < 2 || end > 16) return NaN;
  let id = 0;
  for (let at = 1; at < end; at++) {
    const digit = charCodeAt(target, at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    id = id * 10 + digit;
  }
  return id;
}

/** How a body begins that is text. */
function beginning(body: Uint8Array): string {
  const length = lengthOf(body);
  const end = length < SHOWN_BYTES ? length : SHOWN_BYTES;
  for (let i = 0; i < end; i++) {
    const byte = body[i]!;
    if (byte < 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return '';
  }
  return end === 0 ? '' : `, begins with ${shown(decodeUtf8(body, 0, end))}`;
}
