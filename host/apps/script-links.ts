import type { Command } from '../../runtime/wall/commands.ts';
import type { Delivery } from '../../runtime/wall/deliveries.ts';
import type { CommandBody } from '../../runtime/wall/fields.ts';
import { LINK, LinkChange } from '../../runtime/wall/links.ts';
import { encodeCommand, encodeValues } from '../../wire/commands.ts';
import { MessageType } from '../../wire/messages.ts';
import { type StatusCode, status } from '../../wire/status.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { describeError, StagewireError } from '../base/errors.ts';
import { HostList } from '../base/host-list.ts';
import { resolveName } from '../base/lookup.ts';
import { isPublicAddress } from '../base/public-address.ts';
import { parseLinkAddress, refused } from '../links/address.ts';
import { checkServer, dial } from '../links/dial.ts';
import type { Link, LinkOwner, LinkPlace, LinkRequest, LinkUser } from '../links/link.ts';
import { MemoryStream } from '../links/memory-stream.ts';
import { RtmpLink } from '../links/rtmp-link.ts';
import type { ByteStream } from '../rtmp/byte-stream.ts';
import { ChunkFraming } from '../rtmp/framing.ts';
import { ClientHandshake } from '../rtmp/handshake.ts';
import type { AppSettings } from './app-file.ts';
import type { InstanceLinks } from './instance-links.ts';

/** What of a script its connections need. */
export interface LinkingScript {
  readonly mailbox: { readonly isFull: boolean; readonly hasRoom: boolean };
  post(delivery: Delivery): void;
}

export interface ScriptLinksOptions {
  readonly app: string;
  readonly settings: AppSettings;
  readonly clock: Clock;
  readonly script: () => LinkingScript;
  /** Those of the whole instance. */
  readonly all: InstanceLinks;
  /** Serves what comes from the other end of a stream, as if from a socket. */
  readonly serve: (stream: ByteStream) => void;
}

/** One NetConnection object of the script. */
interface Entry {
  readonly number: number;
  readonly uri: string;
  readonly abort: AbortController;
  /** Until it is accepted. */
  patience: Timer | undefined;
  link: Link | undefined;
  isAccepted: boolean;
  isOver: boolean;
  /** Its streams and shared objects. */
  readonly users: Set<LinkUser>;
  /** Of the script, that wait for an answer. */
  readonly requests: Set<number>;
  /** Ends it when its script is over. */
  readonly end: () => void;
}

interface OpenCall {
  readonly entry: Entry;
  readonly name: string;
  readonly transaction: number;
}

/** In the place of a script that is over. */
const NOBODY: LinkingScript = { mailbox: { isFull: false, hasRoom: true }, post: () => {} };

/** Calls of other servers that one script has not answered. */
const MAX_OPEN_CALLS = 10_000;

/**
 * The connections that one script has made to other instances (class NetConnection on the server). They end with it, but for
 * those that streams go over: they end with the last of these.
 * Its numbers for them, and for calls by them, are those of clients beyond `LINK`.
 */
export class ScriptLinks {
  #options: ScriptLinksOptions;
  readonly #entries = new Map<number, Entry>();
  readonly #calls = new Map<number, OpenCall>();
  readonly #paused = new Set<Entry>();
  #nextCall = LINK;
  #isClosed = false;

  constructor(options: ScriptLinksOptions) {
    this.#options = options;
  }

  /** False for what is no business of a connection. */
  obey(command: Command): boolean {
    switch (command.kind) {
      case 'link-open':
        this.#open(command);
        return true;
      case 'link-close':
        this.#close(command.link);
        return true;
      case 'invoke':
        if (command.client < LINK) return false;
        this.#invoke(command);
        return true;
      case 'result':
        if (command.call < LINK) return false;
        this.#answer(command.call, true, command.value);
        return true;
      case 'error':
        if (command.call < LINK) return false;
        this.#answer(command.call, false, command.info);
        return true;
      case 'missing': {
        if (command.call < LINK) return false;
        const name = this.#calls.get(command.call)?.name ?? '';
        const info = status('NetConnection.Call.Failed', `Method not found (${name}).`);
        this.#answer(command.call, false, encodeValues(info));
        return true;
      }
      default:
        return false;
    }
  }

  /** The connection of that number, accepted or not yet, for streams and shared objects; undefined when there is none. */
  place(number: number): LinkPlace | undefined {
    const entry = this.#entries.get(number);
    return (
      entry && {
        address: entry.uri,
        join: (user) => {
          if (entry.isOver) return user.ended();
          entry.users.add(user);
          if (entry.isAccepted) user.opened?.(entry.link!);
        },
        leave: (user) => {
          entry.users.delete(user);
          if (this.#isClosed && entry.users.size === 0) this.#forget(entry);
        },
      }
    );
  }

  /** A turn of the script has ended. */
  turned(): void {
    if (this.#paused.size === 0 || !this.#options.script().mailbox.hasRoom) return;
    for (const { link } of this.#paused) link?.setReading(true);
    this.#paused.clear();
  }

  close(): void {
    this.#isClosed = true;
    const left: Entry[] = [];
    for (const entry of [...this.#entries.values()]) {
      this.#entries.delete(entry.number);
      if (![...entry.users].some((user) => user.outlivesScript)) {
        this.#forget(entry);
        continue;
      }
      this.#leaveToStreams(entry);
      left.push(entry);
    }
    // Those that stay must not keep it, nor its code.
    this.#options = { ...this.#options, script: () => NOBODY };
    const { all, settings } = this.#options;
    for (const { end, isOver } of left) if (!isOver) all.leave(end, settings.limits.outgoingConnections);
  }

  /** Media outlives the script: what it plays from there goes on. */
  #leaveToStreams(entry: Entry): void {
    if (this.#paused.delete(entry)) entry.link?.setReading(true);
    for (const [call, { entry: of, transaction }] of this.#calls) {
      if (of !== entry) continue;
      this.#calls.delete(call);
      this.#refuse(entry, transaction, 'The script ended before it answered.');
    }
    entry.requests.clear();
    for (const user of [...entry.users]) {
      if (user.outlivesScript) continue;
      entry.users.delete(user);
      user.ended();
    }
  }

  #open(command: Extract<Command, { kind: 'link-open' }>): void {
    if (this.#isClosed || this.#entries.has(command.link)) return;
    const { settings, clock, all } = this.#options;
    const { outgoingConnections, outgoingConnectMs } = settings.limits;
    const entry: Entry = {
      number: command.link,
      uri: command.uri,
      abort: new AbortController(),
      patience: undefined,
      link: undefined,
      isAccepted: false,
      isOver: false,
      users: new Set(),
      requests: new Set(),
      end: () => this.#forget(entry),
    };
    if (this.#entries.size >= outgoingConnections) {
      const why = `${outgoingConnections} connections are open, and that is the limit (limits.outgoingConnections)`;
      return this.#tell(entry, 'NetConnection.Connect.Failed', why, LinkChange.Over);
    }
    if (all.isFull(outgoingConnections)) {
      const why = 'too many connections that were closed are still there: try again later';
      return this.#tell(entry, 'NetConnection.Connect.Failed', why, LinkChange.Over);
    }
    this.#entries.set(entry.number, entry);
    entry.patience = clock.setTimer(() => {
      const why = `no answer to connect within ${outgoingConnectMs} ms (limits.outgoingConnectMs)`;
      this.#end(entry, 'NetConnection.Connect.Failed', why);
    }, outgoingConnectMs);
    // The arguments are a view of a batch of commands.
    void this.#connect(entry, { ...command, args: command.args.slice() });
  }

  async #connect(entry: Entry, command: Extract<Command, { kind: 'link-open' }>) {
    const { uri, objectEncoding, canReconnect, args } = command;
    const { app, settings, serve } = this.#options;
    const { limits } = settings;
    try {
      const { server, ...place } = parseLinkAddress(uri);
      const request: LinkRequest = {
        ...place,
        uri,
        objectEncoding: objectEncoding === 3 ? 3 : 0,
        canReconnect,
        referrer: `rtmp:/${app}`,
        args,
      };
      if (!server) {
        this.#checkApp(place.app);
        const [near, far] = MemoryStream.pair();
        serve(far);
        this.#options.all.made();
        entry.link = new RtmpLink(
          near,
          new ChunkFraming(limits, null),
          false,
          request,
          limits,
          this.#owner(entry),
        );
        return;
      }
      checkServer(server, new HostList(settings.connect?.hosts ?? []));
      const lookup = { resolve: resolveName, isPublic: isPublicAddress, signal: entry.abort.signal };
      const socket = await dial(server, lookup);
      if (entry.isOver) return void socket.destroy();
      const framing = new ChunkFraming(limits, new ClientHandshake());
      this.#options.all.made();
      entry.link = new RtmpLink(socket, framing, server.isSecure, request, limits, this.#owner(entry));
    } catch (error) {
      const why = error instanceof StagewireError ? error.message : describeError(error);
      this.#end(entry, 'NetConnection.Connect.Failed', why);
    }
  }

  /** An application may always connect to its own instances. */
  #checkApp(wanted: string): void {
    const { app, settings } = this.#options;
    if (wanted === app || settings.connect?.apps?.includes(wanted)) return;
    throw refused(`the application is not listed: add "${wanted}" to connect.apps in app.json`);
  }

  #owner(entry: Entry): LinkOwner {
    const isThere = () => this.#entries.get(entry.number) === entry;
    return {
      accepted: (command) => {
        if (entry.isOver) return;
        entry.isAccepted = true;
        this.#options.clock.clearTimer(entry.patience);
        if (isThere())
          this.#post(entry, { kind: 'link-status', link: entry.number, change: LinkChange.Open, command });
        for (const user of [...entry.users]) user.opened?.(entry.link!);
      },
      refused: (command) => {
        if (isThere())
          this.#post(entry, { kind: 'link-status', link: entry.number, change: LinkChange.None, command });
        this.#end(entry, 'NetConnection.Connect.Closed', '');
      },
      failed: (code, description) => this.#end(entry, code, description),
      ended: (description) => this.#end(entry, 'NetConnection.Connect.Closed', description),
      status: (command) => {
        if (isThere())
          this.#post(entry, { kind: 'link-status', link: entry.number, change: LinkChange.None, command });
      },
      called: (name, transaction, command) => {
        if (isThere()) this.#called(entry, name, transaction, command);
        else this.#refuse(entry, transaction, `Method not found (${name}).`);
      },
      replied: (request, isOk, command) => {
        if (isThere() && entry.requests.delete(request))
          this.#post(entry, { kind: 'reply', request, isOk, command });
      },
      gone: () => this.#options.all.gone(),
      message: (message) => {
        for (const user of entry.users) user.message(message);
        this.#pauseIfFull(entry);
      },
    };
  }

  #called(entry: Entry, name: string, transaction: number, command: CommandBody): void {
    let call = 0;
    if (transaction !== 0) {
      if (this.#calls.size >= MAX_OPEN_CALLS)
        return this.#refuse(entry, transaction, 'Too many calls wait for answers.');
      call = this.#nextCall;
      this.#nextCall = call === 0xffff_ffff ? LINK : call + 1;
      this.#calls.set(call, { entry, name, transaction });
    }
    this.#post(entry, { kind: 'call', client: entry.number, call, command });
  }

  #refuse({ link }: Entry, transaction: number, why: string): void {
    if (transaction !== 0)
      link?.answer(transaction, false, encodeValues(status('NetConnection.Call.Failed', why)));
  }

  #invoke({ client, request, method, args }: Extract<Command, { kind: 'invoke' }>): void {
    const entry = this.#entries.get(client);
    if (!entry?.link) {
      if (request !== 0)
        this.#options.script().post({ kind: 'unanswered', request, description: 'Not connected' });
      return;
    }
    if (request !== 0) entry.requests.add(request);
    entry.link.invoke(method, request, args);
  }

  #answer(call: number, isOk: boolean, values: Uint8Array): void {
    const open = this.#calls.get(call);
    this.#calls.delete(call);
    open?.entry.link?.answer(open.transaction, isOk, values);
  }

  /** By the script: it hears of its own calls, and of nothing else. */
  #close(number: number): void {
    const entry = this.#entries.get(number);
    if (entry) this.#forget(entry);
  }

  #end(entry: Entry, code: StatusCode, description: string): void {
    if (entry.isOver) return;
    const isTold = this.#entries.get(entry.number) === entry;
    this.#forget(entry);
    if (isTold) this.#tell(entry, code, description, LinkChange.Over);
  }

  #forget(entry: Entry): void {
    if (entry.isOver) return;
    entry.isOver = true;
    this.#entries.delete(entry.number);
    this.#options.all.ended(entry.end);
    this.#paused.delete(entry);
    this.#options.clock.clearTimer(entry.patience);
    entry.abort.abort(new Error('it was closed'));
    entry.link?.close();
    const users = [...entry.users];
    entry.users.clear();
    for (const user of users) user.ended();
    for (const [call, { entry: of }] of this.#calls) if (of === entry) this.#calls.delete(call);
    for (const request of entry.requests)
      this.#options.script().post({ kind: 'unanswered', request, description: 'The connection was closed' });
    entry.requests.clear();
  }

  #tell(entry: Entry, code: StatusCode, description: string, change: number): void {
    const body = encodeCommand('onStatus', 0, null, status(code, description));
    const command = { type: MessageType.CommandAmf0, body };
    this.#post(entry, { kind: 'link-status', link: entry.number, change, command });
  }

  /** Who sends more than the script can take is not read until it has come after. */
  #post(entry: Entry, delivery: Delivery): void {
    this.#options.script().post(delivery);
    this.#pauseIfFull(entry);
  }

  #pauseIfFull(entry: Entry): void {
    if (!this.#options.script().mailbox.isFull) return;
    this.#paused.add(entry);
    entry.link?.setReading(false);
  }
}
