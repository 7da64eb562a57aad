import type { Socket } from 'node:net';
import {
  isOfTunnel,
  parseHead,
  type RefusalStatus,
  type RequestHead,
  refusals,
  type TunnelPath,
} from './request-head.ts';
import type { Asker, Tunnel } from './tunnel.ts';

const END_OF_HEAD = '\r\n\r\n';
const MAX_HEAD = 16 * 1024;
/** Of what need not have one; a single byte is usual. */
const MAX_SMALL_BODY = 4096;
/** Tunnels that one connection opens ahead: a proxy may bring several clients, but thousands should cost as many sockets. */
const MAX_UNUSED = 16;
/** How long a client has to read why it was refused. */
const LINGER_MS = 1000;
const NOTHING = Buffer.alloc(0);

/** What a link asks of the server. */
export interface Desk {
  /** Undefined when there are too many. */
  open(address: string, port: number, isSecure: boolean): { id: string; tunnel: Tunnel } | undefined;
  find(id: string): Tunnel | undefined;
  readonly maxBodyBytes: number;
  readonly maxSilentMs: number;
}

type State =
  | { at: 'head' }
  | { at: 'body'; head: RequestHead; tunnel: Tunnel | undefined; body: Buffer; filled: number }
  /** A request waits for its answer; of what comes behind it little is read. */
  | { at: 'work'; isKept: boolean }
  /** The answer is on its way. */
  | { at: 'answered' }
  | { at: 'over' };

/**
 * One HTTP connection of tunnels. It works at one request: the next is read when the answer has gone, in another round of
 * the event loop, so that whoever sends thousands ahead waits for everybody else. Node's own HTTP server reads all
 * that came and makes objects of it.
 */
export class Link implements Asker {
  readonly #socket: Socket;
  readonly #desk: Desk;
  readonly #onOther: (rest: Buffer) => void;
  #unread: Buffer = NOTHING;
  #state: State = { at: 'head' };
  #hasEnded = false;
  /** Here, of which the server has heard nothing since. */
  readonly #opened = new Set<Tunnel>();
  /** The last answer, or the beginning. */
  #waitingSince = performance.now();

  /** `onOther` has the socket when a request is not for a tunnel, which is never the first, with all that was read of it. */
  constructor(socket: Socket, beginning: Buffer, desk: Desk, onOther: (rest: Buffer) => void) {
    this.#socket = socket;
    this.#desk = desk;
    this.#onOther = onOther;
    socket.setNoDelay(true);
    socket.on('data', this.#receive);
    socket.on('end', this.#ended);
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#closed());
    this.#receive(beginning);
  }

  get isOpen(): boolean {
    return this.#state.at === 'work' && !this.#socket.destroyed && !this.#hasEnded;
  }

  answer(body: Buffer, onSent: () => void): void {
    const state = this.#state;
    if (state.at !== 'work' || this.#socket.destroyed) return onSent();
    const { isKept } = state;
    this.#socket.cork();
    this.#socket.write(
      'HTTP/1.1 200 OK\r\nContent-Type: application/x-fcs\r\nCache-Control: no-cache\r\n' +
        `Content-Length: ${body.length}\r\nConnection: ${isKept ? 'keep-alive' : 'close'}\r\n\r\n`,
    );
    this.#socket.write(body, onSent);
    this.#socket.uncork();
    if (!isKept) return this.#end();
    this.#state = { at: 'answered' };
    this.#waitingSince = performance.now();
    const goOn = () => {
      if (this.#state.at !== 'answered') return;
      this.#state = { at: 'head' };
      this.#read();
    };
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', goOn);
    else setImmediate(goOn);
  }

  refuse(status: RefusalStatus): void {
    if (this.#state.at === 'over') return;
    // None for HEAD, which may have none.
    const text = status === 405 ? '' : refusals[status];
    this.#socket.write(
      `HTTP/1.1 ${status} ${refusals[status]}\r\nContent-Type: text/plain\r\nCache-Control: no-cache\r\n` +
        (status === 405 ? 'Allow: POST\r\n' : '') +
        `Content-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`,
    );
    this.#end();
  }

  abandon(): void {
    this.#socket.destroy();
  }

  /** Called about once a second: ends what brings no whole request, or does not read its answer. */
  tick(now: number): void {
    const { at } = this.#state;
    const isSilent = at !== 'work' && at !== 'over' && now - this.#waitingSince > this.#desk.maxSilentMs;
    if (isSilent) this.#socket.destroy();
  }

  get #isReading(): boolean {
    return this.#state.at === 'head' || this.#state.at === 'body';
  }

  readonly #receive = (bytes: Buffer): void => {
    if (this.#state.at === 'over') return;
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#read();
  };

  readonly #ended = (): void => {
    this.#hasEnded = true;
    if (this.#isReading) this.#end();
  };

  #read(): void {
    if (this.#state.at === 'head') this.#readHead();
    if (this.#state.at === 'body') this.#readBody(this.#state);
    // An empty rest would keep what it is the rest of.
    if (this.#unread.length === 0) this.#unread = NOTHING;
    if (this.#state.at === 'over') return;
    if (this.#isReading && this.#hasEnded) this.#end();
    // Who is not read at all could leave without being noticed.
    else if (!this.#isReading && this.#unread.length >= MAX_HEAD) this.#socket.pause();
    else this.#socket.resume();
  }

  #readHead(): void {
    // Some send an empty line behind a body.
    if (this.#unread[0] === 0x0d && this.#unread[1] === 0x0a) this.#unread = this.#unread.subarray(2);
    if (isOfTunnel(this.#unread.toString('latin1', 0, 512)) === false) return this.#leave();
    const end = this.#unread.indexOf(END_OF_HEAD);
    if (end > MAX_HEAD || (end < 0 && this.#unread.length > MAX_HEAD)) return this.refuse(431);
    if (end < 0) return;
    const head = parseHead(this.#unread.toString('latin1', 0, end));
    if (typeof head === 'number') return this.refuse(head);
    this.#unread = this.#unread.subarray(end + END_OF_HEAD.length);
    const { path, bodyBytes } = head;
    if (path.at === 'ident') return this.refuse(404);
    const tunnel = path.at === 'open' ? undefined : this.#desk.find(path.id);
    if (path.at !== 'open' && !tunnel) return this.refuse(404);
    // Refused by what it says of its length, before there is memory for it.
    if (bodyBytes > (path.at === 'send' ? this.#desk.maxBodyBytes : MAX_SMALL_BODY)) return this.refuse(413);
    if (path.at === 'send' && !tunnel?.reserve(bodyBytes)) return this.refuse(413);
    if (head.expectsGo) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    this.#state = { at: 'body', head, tunnel, body: NOTHING, filled: 0 };
  }

  #readBody(state: State & { at: 'body' }): void {
    const { head, tunnel, filled } = state;
    const part = this.#unread.subarray(0, head.bodyBytes - filled);
    this.#unread = this.#unread.subarray(part.length);
    state.filled += part.length;
    const isWhole = state.filled === head.bodyBytes;
    if (filled === 0 && isWhole) {
      state.body = part;
    } else {
      state.body = grown(state.body, filled, state.filled, head.bodyBytes);
      part.copy(state.body, filled);
    }
    if (!isWhole) return;
    this.#state = { at: 'work', isKept: head.isKept };
    this.#handle(head.path, tunnel, state.body);
  }

  #handle(path: TunnelPath, tunnel: Tunnel | undefined, body: Buffer): void {
    if (path.at === 'open') {
      for (const tunnel of this.#opened) if (!tunnel.isUnused) this.#opened.delete(tunnel);
      if (this.#opened.size >= MAX_UNUSED) return this.refuse(503);
      const { remoteAddress = '', remotePort = 0 } = this.#socket;
      const opened = this.#desk.open(remoteAddress, remotePort, 'encrypted' in this.#socket);
      if (!opened) return this.refuse(503);
      this.#opened.add(opened.tunnel);
      this.answer(Buffer.from(`${opened.id}\n`), () => {});
    } else if (path.at !== 'ident') {
      tunnel?.request(path.at, path.number, path.at === 'send' ? body : NOTHING, this);
    }
  }

  /** Lets go of the socket. */
  #leave(): void {
    const rest = this.#unread;
    this.#forget();
    this.#unread = NOTHING;
    this.#socket.off('data', this.#receive).off('end', this.#ended);
    this.#socket.pause();
    this.#onOther(rest);
  }

  /** Sends what was written; what still comes is thrown away, or a reset would take the answer with it. */
  #end(): void {
    this.#forget();
    this.#unread = NOTHING;
    this.#socket.end();
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  #closed(): void {
    this.#forget();
    this.#opened.clear();
    this.#unread = NOTHING;
  }

  #forget(): void {
    const state = this.#state;
    this.#state = { at: 'over' };
    if (state.at === 'body' && state.head.path.at === 'send') state.tunnel?.release(state.head.bodyBytes);
  }
}

/** Memory for `needed` bytes, at least twice what there was: bytes that come one by one are not objects each. */
function grown(buffer: Buffer, filled: number, needed: number, whole: number): Buffer {
  if (needed <= buffer.length) return buffer;
  const larger = Buffer.allocUnsafeSlow(Math.min(whole, Math.max(needed, buffer.length * 2)));
  buffer.copy(larger, 0, 0, filled);
  return larger;
}
