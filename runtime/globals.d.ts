/**
 * What a Stagewire script finds in its global scope. Reference this file from the `tsconfig.json` of your
 * applications folder (`sample-apps/tsconfig.json` shows how) and the editor knows it all.
 *
 * A script runs in a V8 heap of its own, one per instance, one handler at a time. There are no files but
 * the application's own, no network but `fetch`, and no Node; time stands still within one handler. Sources: Server-Side ActionScript Language Reference
 * (FCS MX to FMS 4.5); what is new in Stagewire says so.
 *
 * An argument that a member has no use for is a `TypeError` whose message begins with the member: `client.call: expected
 * ...`. So is one that cannot be read, because its `toString` or a getter throws, or its proxy was revoked. Arguments
 * that nobody asked for mean nothing.
 */

/** What every status carries: `level` is `"status"`, `"warning"` or `"error"`. */
interface Info {
  readonly code: string;
  readonly level: 'status' | 'warning' | 'error';
  readonly description?: string;
  readonly details?: string;
  readonly [extra: string]: unknown;
}

/**
 * What `application.onStatus` gets when a handler threw (`Application.Script.Error`), and of what the build found
 * suspicious (`Application.Script.Warning`), once the application has started.
 */
interface ScriptErrorInfo extends Info {
  readonly code: 'Application.Script.Error' | 'Application.Script.Warning';
  /** The file as you wrote it, not as it was built. */
  readonly filename: string;
  readonly lineno: number;
  /** The text of that line. */
  readonly linebuf: string;
}

/** Takes the answer of a client to `client.call`. A member that is no function is an error when it is due. */
interface ResultObject {
  /** The value that the client's method returned. */
  onResult?(value: any): void;
  /** The call failed: no such method, it threw, or the client left (`NetConnection.Call.Failed`). */
  onStatus?(info: Info): void;
}

/** `true` accepts, `false` refuses, anything else leaves the client pending until the script decides. */
type ConnectVerdict = boolean | null | undefined | void;

/** `true` allows. Everything else refuses; a string is the reason that the client reads. */
type Authorization = boolean | string;

/**
 * The instance that this script runs. Add properties of your own: data among them outlives this build (see `keep`). A handler
 * that is neither a function nor undefined or null is an error each time that it is due, as one that throws: what it would
 * decide is refused.
 */
interface Application {
  /** The accepted clients: one array for the life of the instance, in the order they came. Pending ones are not in it. */
  readonly clients: Client[];
  /** `app/instance`; the instance of `rtmp://host/app` is `_definst_`. */
  readonly name: string;
  /** Platform and version, ending in `name/version`. */
  readonly server: string;
  readonly hostname: string;
  /** What `config` of `app.json` holds; empty without. Read it, do not write to it. */
  readonly config: Readonly<Record<string, any>>;
  /** The streams that somebody publishes in this instance, by name. */
  readonly streams: Readonly<Record<string, Stream>>;

  /** Called once, before the first client. A promise that it returns is awaited; clients wait meanwhile. */
  onAppStart?(): void | Promise<void>;
  /**
   * Called before the instance ends: `info.code` is `Application.Shutdown`, or `Application.GC` when nobody has been
   * connected for a while, and then `false` keeps the instance.
   */
  onAppStop?(info: Info): boolean | void | Promise<boolean | void>;
  /**
   * A client wants to connect; `args` are what it gave to `connect` after the address. Without this handler everybody
   * is accepted. A handler that throws refuses.
   */
  onConnect?(client: Client, ...args: any[]): ConnectVerdict | Promise<ConnectVerdict>;
  /** An accepted client is gone, whatever the reason. Called exactly once for each. */
  onDisconnect?(client: Client): void;
  /**
   * New in Stagewire. This code has taken over a running instance (`reason` is `"reload"`) or replaces a script that
   * was stopped, and this client was connected before. `false`, a throw or a rejected promise disconnects it. Without
   * this handler a client that comes with a reload simply stays, with all that the code before knew of it. After a death
   * (and with `"reload": "reattach"`), when nothing is known, `onConnect` is called with the original arguments, and
   * `client.reconnected` tells the reason.
   */
  onReattach?(client: Client, reason: string): ConnectVerdict | Promise<ConnectVerdict>;
  /**
   * New in Stagewire. Other code is to take over now. What this returns goes to its `onRestore`: data, clients, streams and
   * shared objects, for all that is no property of `application`, of a client or of what is kept. It may not be async; a
   * throw leaves this code in charge.
   */
  onSave?(): unknown;
  /**
   * New in Stagewire. This code takes over: `application`, the clients and what is kept have the data of the code before, whose
   * build was `from`, and `state` is what its `onSave` returned, undefined without one. It may not be async; a throw leaves
   * the old code in charge, as if nothing had happened.
   */
  onRestore?(state: any, from: string): void;
  /** A client has begun to publish. It cannot refuse any more: see `authorizePublish`. */
  onPublish?(client: Client, stream: Stream): void;
  onUnpublish?(client: Client, stream: Stream): void;
  /**
   * New in Stagewire. May this client publish this stream? Asked before the client hears anything; may be async. A
   * throw, a rejection or no answer in time refuses. Without this handler everybody may. `stream.name` is without the
   * ending of a media file, too, since a recording has several names: `show` for `show.flv` and `mp4:show.mp4`.
   */
  authorizePublish?(client: Client, stream: Stream): Authorization | Promise<Authorization>;
  /** New in Stagewire. As `authorizePublish`, for playing. */
  authorizePlay?(client: Client, stream: Stream): Authorization | Promise<Authorization>;
  /** A handler of this script threw. */
  onStatus?(info: ScriptErrorInfo): void;

  /** Accepts a client that is in or after `onConnect`. Once accepted, nothing happens. */
  acceptConnection(client: Client): void;
  /** Refuses a client that is in or after `onConnect`; it reads `error` as `info.application`. */
  rejectConnection(client: Client, error?: unknown): void;
  rejectConnection(client: Client, description: string, error?: unknown): void;
  /**
   * Refuses a client and tells it to go elsewhere: it reads `info.ex.code` 302 and `info.ex.redirect`. Without an
   * address as `rejectConnection`.
   */
  redirectConnection(client: Client, url?: string, error?: unknown): void;
  redirectConnection(client: Client, url: string, description: string, error?: unknown): void;
  /** Ends an accepted client's connection after what was sent to it before. False when it is no accepted client. */
  disconnect(client: Client): boolean;
  /** Calls a method of every accepted client. Nobody hears the results. */
  broadcastMsg<M extends ClientMethod>(method: M, ...args: ClientArguments<M>): void;
  /**
   * Deletes all slots of the shared objects that the path stands for, temporary and persistent ones, in memory and on
   * disk: `/` for all, `/rooms/lobby` for one, `/rooms/*` for all below `rooms`; `?` and `*` may be in the last element.
   * Whether it could delete them, and there was one for a path without `?` and `*`.
   */
  clearSharedObjects(path: string): boolean;
  /**
   * Removes recorded streams: "/" all of them, "/show" one, "/shows/*" and "/show?" those that fit; a prefix is for the
   * container, such as "mp4:/shows/*", and FLV without one. What is being recorded is emptied and goes on. True when
   * everything that the path stands for is gone; each stream's `onStatus` hears of it.
   */
  clearStreams(path: string): boolean;
  /** Traffic and connections since the instance began. Numbers by name: see `Statistics`. */
  getStats(): ApplicationStatistics;
  /**
   * Typed objects that arrive under this name are made by the constructor, before their properties are set; then their
   * `onInitialize` is called. Objects of the class leave under the name. Null ends it. Clients choose when the
   * constructor runs: it should do nothing but make the object.
   */
  registerClass(name: string, make: (new () => object) | ((this: any) => void) | null): void;
  /** Calls of clients to this method go to another client, or another instance, whose answer is theirs. Null ends it. */
  registerProxy(method: string, target: Client | NetConnection | null, remoteMethod?: string): void;
  /** Ends the instance once this handler is over: `onAppStop`, then all clients are disconnected. */
  shutdown(): void;
  /** Does nothing: V8 collects garbage when it is time to. */
  gc(): void;
  /**
   * New in Stagewire. From now on clients may call these methods and no others; `this` is the client. With `args` the
   * arguments are checked first: a schema (zod's, or any Standard Schema, of the list of arguments), an object with
   * `parse`, or a function that returns false or throws. What it refuses is the caller's failed call, and no error of
   * the script; a promise is one, for nobody waits for it.
   */
  expose<M extends Record<string, ExposedMethod>>(methods: M & ThisType<Client>): void;
  /** New in Stagewire. Any number of listeners beside the one handler. Returns what takes the listener away. */
  on(event: 'start', listener: () => void): () => void;
  on(event: 'stop' | 'status', listener: (info: Info) => void): () => void;
  on(event: 'connect' | 'disconnect', listener: (client: Client) => void): () => void;
  on(event: 'publish' | 'unpublish', listener: (client: Client, stream: Stream) => void): () => void;

  [own: string]: any;
}

/**
 * What the clients of your application can do, for the compiler: declare it, and `client.call`, `client.invoke` and
 * `application.broadcastMsg` are checked.
 *
 *     interface ClientMethods {
 *       say(from: string, text: string): void;
 *       score(): number;
 *     }
 *
 * As long as it is empty, any method may be called with anything. In a module it stands in `declare global { ... }`;
 * applications with one `tsconfig.json` share it.
 */
interface ClientMethods {}
type ClientMethod = keyof ClientMethods extends never ? string : keyof ClientMethods & string;
type ClientArguments<M extends string> = M extends keyof ClientMethods
  ? ClientMethods[M] extends (...args: infer A) => unknown
    ? A
    : never
  : unknown[];
type ClientAnswer<M extends string> = M extends keyof ClientMethods
  ? ClientMethods[M] extends (...args: never[]) => infer R
    ? Awaited<R>
    : never
  : any;

/** See `Application.expose`. */
type ExposedMethod =
  | ((...args: any[]) => unknown)
  | {
      readonly args?: ArgumentsCheck;
      /** How often one client may call it; a second's worth may come at once. */
      readonly perSecond?: number;
      readonly call: (...args: any[]) => unknown;
    };
type ArgumentsCheck =
  | ((args: unknown[]) => unknown)
  | { parse(args: unknown): unknown }
  | { readonly '~standard': { validate(args: unknown): unknown } };

/**
 * New in Stagewire. Thrown by a remote method, it becomes the info object of the caller's failed call (`code`,
 * `description`, `data`), and is not reported as an error of the script.
 */
declare class RpcError extends Error {
  constructor(code: string, message?: string, data?: unknown);
  readonly name: 'RpcError';
  readonly code: string;
  readonly data: unknown;
}

/** `in` is what the server received, `out` what it sent. */
interface Statistics {
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly msg_in: number;
  readonly msg_out: number;
  /** Media that slow clients did not get. */
  readonly msg_dropped: number;
}

/** What `application.getStats` tells. */
interface ApplicationStatistics extends Statistics {
  /** Clients that tried to connect. */
  readonly total_connects: number;
  /** Accepted clients that have left. */
  readonly total_disconnects: number;
  readonly connected: number;
  readonly accepted: number;
  readonly rejected: number;
}

/** What `client.getStats` tells. */
interface ClientStatistics extends Statistics {
  /** Milliseconds; 0 before the first ping was answered. */
  readonly ping_rtt: number;
  /** What waits to be sent. */
  readonly queue_bytes: number;
}

/**
 * One connection. Methods that you add to a client, or to `Client.prototype`, are what clients may call:
 *
 *     Client.prototype.add = function (a, b) { return a + b; };
 *
 * A returned promise defers the answer; what a method throws is the caller's `NetConnection.Call.Failed`.
 */
interface Client {
  /** The client's software as it names itself, such as `LNX 9,0,124,2`. Never proof of anything. */
  readonly agent: string;
  /** Unique and unguessable, for as long as the connection lasts. */
  readonly id: string;
  readonly ip: string;
  /** The page that held the player, as the client claims. */
  readonly pageUrl: string;
  /** `rtmp` or `rtmps`, in a tunnel through HTTP `rtmpt` or `rtmpts`, over a WebSocket `ws` or `wss`; `http` and `ws` for viewers over HTTP, who only play one stream. */
  readonly protocol: string;
  /** The SWF, or the server that connects, as the client claims. */
  readonly referrer: string;
  /** Whether the connection is encrypted. */
  readonly secure: boolean;
  /** The address that the client connected to, query included. */
  readonly uri: string;
  /** New in Stagewire. False, or why an earlier script's client comes to `onConnect` again: `reload`, `cpu`, `memory`, `stuck`, `crash`, `mailbox`, `operator`, `move` (to another core). */
  readonly reconnected: false | string;

  /**
   * Calls a method of the client. True when the call was sent; the answer goes to `result.onResult` or
   * `result.onStatus`. Pass `null` when nobody waits for it.
   */
  call<M extends ClientMethod>(method: M, result?: ResultObject | null, ...args: ClientArguments<M>): boolean;
  /**
   * New in Stagewire. As `call`, with a promise: rejects with a `CallError` when the call fails or the client leaves.
   * With `timeoutMs` also when no answer came in time (`code` is `E_TIMEOUT`), with a signal when that is aborted.
   */
  invoke<M extends ClientMethod>(
    method: M | Invocation<M>,
    ...args: ClientArguments<M>
  ): Promise<ClientAnswer<M>>;
  invoke<T>(
    method: ClientMethod | Invocation<ClientMethod>,
    ...args: unknown extends T ? [never] : unknown[]
  ): Promise<T>;
  /**
   * Paths, divided by `;`, of what this client may play: each with all below it. `/`, the default, is everything; an
   * empty text, undefined and null are nothing.
   */
  readAccess: string;
  /** As `readAccess`, for publishing. What is set in `onPublish` and `onUnpublish` is ignored. */
  writeAccess: string;
  audioSampleAccess: string;
  videoSampleAccess: string;
  /** Sends a ping; whether the client has answered the one before. How long that took is `getStats().ping_rtt`. */
  ping(): boolean;
  /**
   * Measures what the client can be sent a second: its `onBWCheck` is called with more and more data, then its
   * `onBWDone(kbps, kilobits, milliseconds, latency)`. Clients may ask for it themselves.
   */
  checkBandwidth(): void;
  /**
   * New in Stagewire. Asks the client to connect again: to `tcUrl` (whole, or `/app/instance`, or `//host/app`), or
   * where it is. Before an update of the server, say. Whether it is a client that does so (Enhanced RTMP v2, `capsEx`)
   * and is accepted; it hears `NetConnection.Connect.ReconnectRequest`, and is served until it leaves.
   */
  requestReconnect(tcUrl?: string): boolean;
  /** Of this connection; of one that has just ended too. */
  getStats(): ClientStatistics;
  /** Bytes per second, 0 for no limit. `0` is from the client to the server, `1` from the server to the client. */
  getBandwidthLimit(direction: 0 | 1): number;
  /** Bytes per second, in the other order: server to client, then client to server. 0 leaves a direction as it is. */
  setBandwidthLimit(serverToClient: number, clientToServer?: number): void;
  /** Stands in for methods that are missing when clients call them: return a function, or nothing. */
  __resolve?(name: string): unknown;
  /** New in Stagewire. Called when the client has left, after `application.onDisconnect`. */
  on(event: 'disconnect', listener: (this: Client) => void): () => void;

  [own: string]: any;
}

/** A call by `client.invoke` with conditions. */
interface Invocation<M extends string> {
  readonly method: M;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignalLike;
}

/** What `client.invoke` needs of an `AbortSignal`. */
interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: any;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Made by the server; the prototype is yours to extend, and extensions reach clients that are connected already. */
declare const Client: { readonly prototype: Client };

/** A live stream of this instance. */
/**
 * A handle of a stream's name. The server can be its source (`play`), record whatever comes under it (`record`), and
 * send messages into it (`send`). What the server plays and records goes on when new code takes over.
 */
interface Stream {
  /** Without container prefix and query. */
  readonly name: string;
  /** What followed `?` in the name it was published under: `token=x` of `rtmp://host/app/stream?token=x`. */
  readonly publishQueryString: string;
  /**
   * New in Stagewire. How it was published, and what `authorizePublish` may refuse: "live" is not recorded, "record" anew, "append" behind
   * what is there, "appendWithGap" after as much time as has passed since. Empty while nobody has published it.
   */
  readonly publishMode: '' | 'live' | 'record' | 'append' | 'appendWithGap';
  /** Seconds, as `setBufferTime` has set them. For streams of other servers only. */
  readonly bufferTime: number;
  /** Whether what is recorded is written at once, message by message. Default false: within a second. */
  syncWrite: boolean;
  /** Whether what the server plays here has its sound. Default true. */
  receiveAudio: boolean;
  /** Whether what the server plays here has its pictures. Default true. */
  receiveVideo: boolean;

  /**
   * The server becomes the source of this stream: whoever publishes under the name is unpublished. `source`: a live or
   * recorded stream such as `news`, `mp4:films/one.mp4`; false for an end. `start` in seconds: -2 live if somebody
   * publishes it, else recorded, else waits; -1 live only; from 0 on recorded only. `length` in seconds: -1 to the end,
   * 0 a single picture. `reset`: true in the place of all that plays; false when that has ended. Viewers see one stream
   * without gaps. False for what is no name, or when the list is full (1,000); what fails later is told to `onStatus`.
   */
  play(
    source: string | false,
    start?: number,
    length?: number,
    reset?: boolean | number,
    /** The stream is one of the instance that this is connecting or connected to. */
    connection?: NetConnection | null,
  ): boolean;
  /**
   * Records this stream, whatever its source is, into `streams/<instance>/<name>.flv` of the application's folder:
   * "record" in the place of what is there, "append" behind it, "appendWithGap" after as much time as has passed since; false for an
   * end, which says whether there was one. `maxDuration` in seconds and `maxSize` in KB: less than the application's
   * limits.recordingMs and limits.recordingBytes; -1 for those. Under a name with `mp4:` or `f4v:` it becomes that file
   * when it ends.
   */
  record(
    mode?: 'record' | 'append' | 'appendWithGap' | false,
    maxDuration?: number,
    maxSize?: number,
  ): boolean;
  /** Calls `handler` of each viewer's NetStream, and is recorded. `@setDataFrame`, a name and a value: for later viewers, too. */
  send(handler: string, ...args: unknown[]): boolean;
  /** Removes what was recorded under this name. False when there is nothing. */
  clear(): boolean;
  /** Writes what was recorded so far. False when nothing is recorded. */
  flush(): boolean;
  /** For streams of other servers. */
  setBufferTime(seconds: number): boolean;

  /** Hears what becomes of the stream: `NetStream.Play.Start`, `NetStream.Record.Stop` and the like. May be set on `Stream.prototype`. */
  onStatus?: ((this: Stream, info: StreamStatus) => void) | undefined;

  /** Functions are called for the data messages of that name which the stream carries. */
  [own: string]: any;
}

/** What `onStatus` of a stream is told (Server-Side ActionScript Language Reference, Stream.onStatus). */
interface StreamStatus {
  level: 'status' | 'warning' | 'error';
  code: string;
  description: string;
  /** The name of what plays, for codes of `play`; else that of the stream. */
  details: string;
}

declare const Stream: {
  readonly prototype: Stream;
  /** The stream of that name, the same object each time; null for what is no name. A prefix such as `mp4:` is for its recording. */
  get(name: string): Stream | null;
  /** Seconds of a recorded stream; 0 when there is none. */
  length(name: string): number;
  /** Bytes of a recorded stream; 0 when there is none. */
  size(name: string): number;
  /** What a recorded stream says of itself (`duration`, `width` ...); null when there is none. */
  getOnMetaData(name: string): Record<string, any> | null;
  /** Ends what the server plays and records there. False when it plays nothing. */
  destroy(stream: Stream): boolean;
};

declare const application: Application;

/**
 * Classic scripts only: runs another script of the application, or of the server's library, after the main script's
 * top level and before `application.onAppStart`. Throws afterwards, and in modules, which import.
 */
declare function load(file: string): void;

/**
 * As Flash Media Server 2 had it: whether `for...in` shows a property of the object's own, whether it can be assigned to,
 * and whether it is there to stay. What the object does not have is left alone.
 */
declare function setAttributes(
  object: object,
  name: string,
  isEnumerable: boolean,
  isReadonly: boolean,
  isPermanent: boolean,
): void;

/** Prints one value, as `String` makes it, to the log of the server, with the names of application and instance. */
declare function trace(value: unknown): void;

/** Prints values to the same log, at that level; objects as a person would write them, to a depth of 3. */
declare const console: Record<'log' | 'info' | 'debug' | 'warn' | 'error', (...values: unknown[]) => void>;

/**
 * Calls back once, `ms` milliseconds after this handler began; with 0, or nothing, as soon as it has ended. Returns the id
 * for `clearTimeout`. Throws RangeError when `limits.timers` are running already. What is no number counts as 0.
 */
declare function setTimeout(callback: (...args: any[]) => void, ms?: number, ...args: unknown[]): number;
/** Calls back every `ms` milliseconds, 1 at the least. What falls due while the script is busy is not made up for. */
declare function setInterval(callback: (...args: any[]) => void, ms?: number, ...args: unknown[]): number;
/** As FCS had it: the method is looked up at each tick. */
declare function setInterval(object: object, method: string, ms?: number, ...args: unknown[]): number;
/** Ends a timer, of either kind. An id that is none means nothing. */
declare function clearTimeout(id: number | undefined): void;
/** As `clearTimeout`. */
declare function clearInterval(id: number | undefined): void;
/** Calls back when the code that runs now has ended, before anything else happens. */
declare function queueMicrotask(callback: () => void): void;

/**
 * A file or folder of the application, used while the script waits: the class of Flash Media Server 2. Paths begin at
 * the application's folder and are written with `/`; `..`, `\\`, names with a leading dot and links that leave the
 * folder are refused. Code (`main.ts`, `lib/*.asc` ...), `app.json`, `package.json`, `node_modules` and the files that
 * the script was built from can be read, not changed. What cannot be done is told in the log and to
 * `application.onStatus`, and the member returns false, -1 or undefined; an argument that is none throws a `TypeError`.
 * `limits.openFiles`, `limits.fileBytes`, `limits.appFileBytes` and `limits.files` bound it.
 */
declare class File {
  constructor(path: string);
  /** The path as it was given, or as `renameTo` changed it. */
  readonly name: string;
  readonly exists: boolean;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly isOpen: boolean;
  /** Bytes of a file, entries of a folder; -1 when there is none. */
  readonly length: number;
  readonly creationTime: Date | undefined;
  readonly lastModified: Date | undefined;
  /** As it was opened; undefined while it is closed. So are the following. */
  readonly type: 'text' | 'binary' | undefined;
  readonly mode: string | undefined;
  readonly canRead: boolean | undefined;
  readonly canWrite: boolean | undefined;
  readonly canAppend: boolean | undefined;
  readonly canReplace: boolean | undefined;
  /** In bytes: where reading and writing go on. Can be set while it is open. */
  position: number | undefined;

  /**
   * Text is UTF-8; of a binary file each byte is a character. Modes that write make a file that is missing, `create`
   * empties one that is there, `append` writes at its end. Several may be joined: `"read,append"`.
   */
  open(
    type: 'text' | 'binary',
    mode: 'read' | 'write' | 'readWrite' | 'append' | 'create' | (string & {}),
  ): boolean;
  close(): boolean;
  /** So many characters of a text, or bytes; fewer at the end, and an empty text after it. */
  read(count: number): string | undefined;
  /** Of a binary file; -1 at its end. */
  readByte(): number;
  /** A line without its end; undefined at the end of the file. */
  readln(): string | undefined;
  /** The lines from the position on. */
  readAll(): string[] | undefined;
  /** Whether nothing is left to read; true while it is closed. */
  eof(): boolean;
  write(...values: unknown[]): boolean;
  /** As `write`, with a line end. */
  writeln(...values: unknown[]): boolean;
  /** Each as a line. */
  writeAll(lines: readonly unknown[]): boolean;
  /** Into a binary file: from 0 to 255. */
  writeByte(byte: number): boolean;
  /** Nothing is held back: true when it is open for writing. */
  flush(): boolean;
  /** Moves the position by so many bytes, back when negative, and returns it; -1 when it cannot. */
  seek(bytes: number): number;
  /** The entries of a folder whose names `filter` says true to. */
  list(filter?: (name: string) => unknown): File[] | false;
  /** Makes a folder in this folder. */
  mkdir(name: string): boolean;
  /** Copies a file to that path; a file that is there is replaced. */
  copyTo(path: string | File): boolean;
  /** Moves it to that path, which begins at the application's folder; a file replaces a file that is there. */
  renameTo(path: string | File): boolean;
  /** `true` removes a folder with all that is in it. */
  remove(isRecursive?: boolean): boolean;
  toString(): string;
}

/**
 * New in Stagewire. The claims of a JSON Web Token (RFC 7519) that a client has shown: its signature is right, and it is
 * valid now. Throws a RpcError with code `E_TOKEN` when it is not, or when there is none: out of `onConnect` that
 * refuses the client, who reads why. `key` is the secret for HS256, HS384 and HS512; or a public key in PEM or as JSON Web
 * Key for RS256 to RS512, PS256 to PS512, ES256 to ES512 and EdDSA; or a set of keys, as identity providers publish them.
 */
declare function verifyToken<Claims extends object = TokenClaims>(
  token: unknown,
  key: string | TokenKey | { readonly keys: readonly TokenKey[] },
  expected?: TokenExpectations,
): Claims;

/** The claims that have a meaning of their own; times are seconds since 1970. */
interface TokenClaims {
  readonly iss?: string;
  readonly sub?: string;
  readonly aud?: string | readonly string[];
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
  readonly [claim: string]: unknown;
}

/** A JSON Web Key (RFC 7517). */
interface TokenKey {
  readonly kty: string;
  readonly [member: string]: unknown;
}

/** What `verifyToken` expects of a token beside a signature. */
interface TokenExpectations {
  /** Of those that the key allows, these only: `["ES256"]`. */
  readonly algorithms?: readonly string[];
  readonly issuer?: string;
  /** The token is for this one, or for several of whom it is one. */
  readonly audience?: string;
  readonly subject?: string;
  /** How far the clocks may be apart. Default 0. */
  readonly toleranceS?: number;
  /** For clients that were let in before: `client.reconnected !== false`. */
  readonly ignoresExpiry?: boolean;
}

/**
 * Named slots that all clients of the instance see, and may change if their `writeAccess` lets them; gone with the last
 * who has it open. The script has a copy: current when a handler starts, and changed by nobody else until it ends, for
 * 50 milliseconds. So to read, compute and write in a handler is safe; after an `await` it is not.
 */
interface SharedObject<Slots extends object = any> {
  readonly name: string;
  /** Rises by one with each change, however many slots it changed. */
  readonly version: number;
  /** Of persistent objects: whether some of it is not on disk yet. */
  readonly isDirty: boolean;
  /**
   * Whether a persistent object is written whenever it has changed; default true (`sharedObjects.autoCommit` in
   * `app.json`). Otherwise `flush` and `SharedObject.commit` write it, and what they have not written is lost when the
   * last one who has it leaves.
   */
  autoCommit: boolean;
  /**
   * For how many versions deleted slots are remembered, so that a client that was away is told of them; -1 for as many
   * as there is room for. Who was away longer gets everything. Default -1 (`sharedObjects.resyncDepth`).
   */
  resyncDepth: number;
  /**
   * New in Stagewire, in modules only. The slots as properties: read, set, `delete`, `in`, `Object.keys`, spread. What one
   * holds is frozen all the way down, so that changing a part of it throws: set the slot to a new value.
   */
  readonly data: SlotData<Slots>;
  /** A copy of what the slot holds, undefined when there is none: to change it, set the slot. */
  getProperty<K extends SlotName<Slots>>(name: K): Slots[K] | undefined;
  /** For classic scripts null when there are none, as Flash Media Server had it. */
  getPropertyNames(): SlotName<Slots>[];
  /**
   * Null or undefined deletes the slot. Throws RangeError beyond `limits.slots` and `limits.slotBytes`. `until` is new in
   * Stagewire, in modules only: the slot goes when that client leaves, whatever has become of the script. Clients may
   * change it meanwhile; once the script sets it without, or it was deleted, it is a slot like others.
   */
  setProperty<K extends SlotName<Slots>>(
    name: K,
    value: Slots[K] | null | undefined,
    options?: { readonly until?: Client },
  ): void;
  size(): number;
  /** Deletes all slots. */
  clear(): boolean;
  /** Calls that method of every subscriber's object; the script's own handler is not called. */
  send(method: string, ...args: unknown[]): boolean;
  /** As `send`; within a lock it comes after what was changed before it. */
  mark(method: string, ...args: unknown[]): boolean;
  /**
   * Until as many `unlock` what the script changes is one change, of 20,000 parts at the most, and changes of clients wait.
   * Returns how many locks there are; -1 for an object of another instance, which cannot be locked from here.
   */
  lock(): number;
  unlock(): number;
  /**
   * New in Stagewire, in modules only. Calls `change` and makes one change of all that it does: one version, one update for
   * everybody. If it throws, nothing has changed, and the error goes on. It cannot be async: a promise is a TypeError, and
   * nothing has changed either. Within a lock, or another transaction, it is part of that.
   */
  transaction<T>(change: () => T & (T extends PromiseLike<unknown> ? never : unknown)): T;
  /**
   * New in Stagewire, in modules only. Calls `listener` each time that a client changes or deletes that slot, or clears the
   * object, with what the slot holds by now; after `onSync`. What the script does itself is not told. Returns what ends it.
   * At most 1000 for one object.
   */
  watch<K extends SlotName<Slots>>(
    name: K,
    listener: (value: Frozen<Slots[K]> | undefined, change: SlotChange<Slots[K]>) => void,
  ): () => void;
  /** Slots deleted before that version are forgotten: who was away longer gets the whole. */
  purge(version: number): void;
  /**
   * Writes a persistent object to disk and waits for that; whether all that the script has done to it is there. A
   * temporary one cannot be: false.
   */
  flush(): boolean;
  /**
   * New in Stagewire, in modules only. Resolves when all that the script has done to it is on disk, while the script goes on; at once for a temporary one.
   * Rejects with RpcError `SharedObject.Flush.Failed` when it could not be written, and was taken back.
   */
  saved(): Promise<void>;
  /** The script hears of it no more. Clients keep it. */
  close(): void;
  /**
   * New in Stagewire, in modules only. Asked before a client changes or deletes a slot, clears the object or sends: `true`
   * allows it, `{ value }` has another value in its place (of `send` the list of arguments), everything else refuses, a throw
   * among it: then the client gets back what the slot holds. It decides at once; a promise refuses. What clients do waits
   * for it meanwhile, and if the script dies for the next one; of a script that starts without it all is allowed. A message of
   * more than 1000 changes is refused.
   */
  authorize?(change: SharedObjectRequest): boolean | { readonly value: unknown };
  /**
   * What a client has changed in one step. It must be on the object itself. Of an object of another instance what anybody has changed,
   * and what has become of the script's own changes; once all of it is here it is called even if there is nothing.
   */
  onSync?(list: readonly SharedObjectChange[]): void;
  /**
   * `SharedObject.Flush.Failed`: what has changed could not be written to disk, and was taken back. Of an object of another instance:
   * `NoWriteAccess` of a change that was refused, `NoReadAccess` and `ObjectCreationFailed` when that instance does not give it.
   */
  onStatus?(info: Info): void;
  /** Methods of your own: clients call them by `send`, with the same name and arguments for all subscribers. */
  [handler: string]: any;
}

type SlotName<Slots> = keyof Slots & string;
/** Any of them may not be there. */
type SlotData<Slots> = { [K in keyof Slots]?: Frozen<Slots[K]> };
/** A value of which no part can be changed. Dates and bytes cannot be frozen: each reading has its own. */
type Frozen<T> = 0 extends 1 & T
  ? any
  : T extends Date | ArrayBufferView | ReadonlyMap<any, any> | ReadonlySet<any>
    ? T
    : T extends object
      ? { readonly [K in keyof T]: Frozen<T[K]> }
      : T;

/** What a client wants to do. Its values come from outside, and are of no type that you have declared. */
interface SharedObjectRequest {
  readonly code: 'change' | 'delete' | 'clear' | 'send';
  /** Of the slot; of what is sent the name of the method; of a clear nothing. */
  readonly name: string;
  /** What the slot is to hold, frozen; of what is sent the list of arguments. */
  readonly value: any;
  /** What it holds now, frozen. */
  readonly oldValue: any;
  readonly client: Client;
}

/** What `watch` tells beside the value. A clear has no old value, and is told of slots that were not there, too. */
interface SlotChange<Value = any> {
  readonly code: 'change' | 'delete' | 'clear';
  readonly name: string;
  readonly oldValue: Frozen<Value> | undefined;
  /** Who changed it, unless it has left. */
  readonly client: Client | undefined;
}

/** One change of a slot. `client` is new in Stagewire: who made it, unless it has left. */
interface SharedObjectChange {
  /** `success` and `reject`: of the script's own change of an object of another instance. */
  readonly code: 'change' | 'delete' | 'clear' | 'success' | 'reject';
  readonly name: string;
  /** Of `reject` what the slot holds. */
  readonly oldValue: any;
  readonly client: Client | undefined;
}

/** Opened by `SharedObject.get`. */
declare const SharedObject: {
  readonly prototype: SharedObject;
  /**
   * The object of that name, made when there is none. With `true` one that is kept on disk, and outlives instance and
   * server; a temporary one of the same name is another. Throws when there are too many. Say what its slots hold, and the
   * compiler checks your own code: `SharedObject.get<{ topic: string; score: number }>('room')`.
   *
   * With a connection, which is there or about to be, it is the object of that name of the instance at its other end: clients
   * here that ask for the name have it, too. What the script writes is asked for there, and is in its copy once that has been done: `onSync`
   * hears `success`, or `reject`. When the connection ends, it stays as it is and changes are refused, until `get` has another one.
   * `lock` and `unlock` return -1; `authorize`, `transaction`, `until`, `saved`, `purge`, `autoCommit` and `resyncDepth` are
   * that instance's, and throw.
   */
  get<Slots extends object = any>(
    name: string,
    persistence?: boolean,
    connection?: NetConnection | null,
  ): SharedObject<Slots>;
  /** Writes the persistent object of that name, or all of the instance, and waits for that; whether all is on disk. */
  commit(name?: string): boolean;
};

/** Milliseconds since the host started, at the start of this handler. */
declare const performance: { now(): number };

/** Randomness, hashes and HMAC, as browsers have them. */
declare const crypto: {
  /** Fills 65536 bytes at the most with random ones, and returns the same view. */
  getRandomValues<T extends ArrayBufferView>(view: T): T;
  /** A random UUID of version 4 (RFC 9562). */
  randomUUID(): string;
  readonly subtle: SubtleCrypto;
};

/** Bytes, in one of their shapes. */
type BufferSource = ArrayBuffer | ArrayBufferView;
/** The hashes that `crypto.subtle` has. */
type HashName = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** A secret for HMAC. */
interface CryptoKey {
  readonly type: 'secret';
  readonly extractable: boolean;
  readonly algorithm: {
    readonly name: 'HMAC';
    readonly hash: { readonly name: HashName };
    readonly length: number;
  };
  readonly usages: ('sign' | 'verify')[];
}

/** New in Stagewire. Hashes and HMAC, of 1047552 bytes at the most; every other member of the standard rejects. */
interface SubtleCrypto {
  digest(algorithm: HashName | { name: HashName }, data: BufferSource): Promise<ArrayBuffer>;
  importKey(
    format: 'raw',
    secret: BufferSource,
    algorithm: { name: 'HMAC'; hash: HashName | { name: HashName } },
    extractable: boolean,
    usages: readonly ('sign' | 'verify')[],
  ): Promise<CryptoKey>;
  sign(algorithm: 'HMAC' | { name: 'HMAC' }, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  /** In a time that tells nothing of where signatures differ. */
  verify(
    algorithm: 'HMAC' | { name: 'HMAC' },
    key: CryptoKey,
    signature: BufferSource,
    data: BufferSource,
  ): Promise<boolean>;
}

/** New in Stagewire. As WHATWG has it; addresses of at most 65536 characters. */
declare class URL {
  /** Throws a `TypeError` for what is no URL. */
  constructor(input: string | URL, base?: string | URL);
  static canParse(input: string | URL, base?: string | URL): boolean;
  /** Null for what is no URL. */
  static parse(input: string | URL, base?: string | URL): URL | null;
  href: string;
  readonly origin: string;
  protocol: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  search: string;
  hash: string;
  readonly searchParams: URLSearchParams;
  toString(): string;
  toJSON(): string;
}

/** New in Stagewire. As WHATWG has it. */
declare class URLSearchParams implements Iterable<[string, string]> {
  constructor(init?: string | Record<string, string> | Iterable<readonly [string, string]>);
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  entries(): IterableIterator<[string, string]>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
  toString(): string;
}

/** New in Stagewire. Text to UTF-8. */
declare class TextEncoder {
  readonly encoding: 'utf-8';
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}

/** New in Stagewire. UTF-8 to text; no other encoding. */
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: 'utf-8';
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(bytes?: BufferSource, options?: { stream?: boolean }): string;
}

/**
 * New in Stagewire. A deep copy; a `DataCloneError` that names the place for what cannot be copied. What a getter throws
 * passes as it is.
 */
declare function structuredClone<T>(value: T, options?: { transfer?: Iterable<ArrayBuffer> }): T;

/** Base64 of a text whose characters are bytes. */
declare function btoa(text: string): string;
/** The bytes of Base64, as characters; throws a `DOMException` named `InvalidCharacterError` for anything else. */
declare function atob(base64: string): string;

/** New in Stagewire. As the DOM standard has it, without a tree. */
declare class Event {
  constructor(type: string, options?: { bubbles?: boolean; cancelable?: boolean; composed?: boolean });
  readonly type: string;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly defaultPrevented: boolean;
  readonly eventPhase: number;
  readonly isTrusted: boolean;
  readonly timeStamp: number;
  readonly target: EventTarget | null;
  readonly currentTarget: EventTarget | null;
  composedPath(): EventTarget[];
  preventDefault(): void;
  stopPropagation(): void;
  stopImmediatePropagation(): void;
}

type EventListener = ((event: Event) => void) | { handleEvent(event: Event): void };

/** New in Stagewire. What a listener throws is reported; the others are called all the same. */
declare class EventTarget {
  addEventListener(
    type: string,
    listener: EventListener | null,
    options?: boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal },
  ): void;
  removeEventListener(
    type: string,
    listener: EventListener | null,
    options?: boolean | { capture?: boolean },
  ): void;
  /** False when a listener has called `preventDefault`. */
  dispatchEvent(event: Event): boolean;
}

/** New in Stagewire. Ends what it was given to, such as a `fetch`. */
declare class AbortController {
  readonly signal: AbortSignal;
  /** Default: a `DOMException` named `AbortError`. */
  abort(reason?: unknown): void;
}

/** New in Stagewire. Whether somebody has had enough, and why. */
declare class AbortSignal extends EventTarget {
  private constructor();
  static abort(reason?: unknown): AbortSignal;
  /** Aborts with a `TimeoutError`. One of the timers that `limits.timers` counts. */
  static timeout(ms: number): AbortSignal;
  /** Aborts with the first of these, for its reason. */
  static any(signals: Iterable<AbortSignal>): AbortSignal;
  readonly aborted: boolean;
  readonly reason: any;
  onabort: ((event: Event) => void) | null;
  throwIfAborted(): void;
}

/** New in Stagewire. An error with a name of the web's: `AbortError`, `DataCloneError` ... */
declare class DOMException extends Error {
  constructor(message?: string, name?: string);
  readonly code: number;
}

/** New in Stagewire. What a request is like, beside its address. */
interface FetchOptions {
  /** Default `GET`. */
  method?: string;
  /** How the message is framed (`host`, `content-length`, `connection` ...) is the server's business. */
  headers?: Record<string, string | number> | readonly (readonly [string, string | number])[] | FetchHeaders;
  /** Unless `headers` has a `content-type`, text is sent as `text/plain` in UTF-8, and `URLSearchParams` as a form. */
  body?: string | ArrayBuffer | ArrayBufferView | URLSearchParams | null;
  /** `follow`, the default: five at the most, each checked anew. `error` rejects, `manual` answers with the redirect. */
  redirect?: 'follow' | 'error' | 'manual';
  /** Until the last byte of the answer; `limits.fetchMs` holds as well. */
  timeoutMs?: number;
  /** Ends the request: the promise rejects with the signal's reason. */
  signal?: AbortSignal | null;
}

/** The headers of an answer. Names are lower case; what came several times is joined by commas. */
interface FetchHeaders extends Iterable<[string, string]> {
  /** Null when there is none. */
  get(name: string): string | null;
  has(name: string): boolean;
  /** The cookies one by one: commas cannot join them. */
  getSetCookie(): string[];
  forEach(callback: (value: string, name: string, headers: FetchHeaders) => void, self?: unknown): void;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  entries(): IterableIterator<[string, string]>;
}

/** An answer that is complete. Its body can be read once: another time rejects. */
interface FetchResponse {
  /** Whether `status` is from 200 to 299. */
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  /** After redirects, without what followed `#`. */
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: FetchHeaders;
  readonly bodyUsed: boolean;
  text(): Promise<string>;
  json<T = any>(): Promise<T>;
  bytes(): Promise<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/**
 * What `fetch` rejects with when there is no answer. `code` is `E_FETCH_DENIED` (the host is not in `fetch.hosts` of
 * `app.json`, or leads inside), `E_FETCH_INVALID`, `E_FETCH_TIMEOUT`, `E_FETCH_TOO_LARGE`, `E_FETCH_TOO_MANY` or
 * `E_FETCH_FAILED`; the message says what to do.
 */
interface FetchError extends TypeError {
  readonly name: 'FetchError';
  readonly code: string;
}

/**
 * New in Stagewire. State of a module that outlives its code: returns the object it was given, and when other code takes over
 * the running instance, what has been changed in it since the code began is there, too. So is what has been changed of
 * `application` and of each client; properties that nobody has changed are the new code's to say. Objects that are shared stay shared;
 * clients, streams and shared objects stay what they are. Functions and instances of classes are not carried over: the log
 * names them, and there are `application.onSave` and `onRestore`.
 *
 * `name` tells it from other state; without one it is the file and the variable that it is assigned to. To be called
 * while the module begins.
 */
declare function keep<T extends object>(initial: T, name?: string): T;

/**
 * New in Stagewire. Requests over HTTP and HTTPS, to the hosts that `app.json` lists. Resolves with the complete
 * answer, whatever its status; rejects with a `FetchError` when there is none, and with a `TypeError` for arguments
 * that are none.
 */
declare function fetch(
  url: string | { readonly href: string },
  options?: FetchOptions,
): Promise<FetchResponse>;

/**
 * A connection of the script to an instance of this server or another: a client there, whose methods it calls, and whose
 * script calls functions of this object. `app.json` lists where it may lead (`connect`); the script's own application is
 * always allowed. It ends with the script: new code connects again.
 */
declare class NetConnection {
  /** Whether the other side has accepted it. */
  readonly isConnected: boolean;
  /** What it was connected to last, without what follows `?`; empty before. */
  readonly uri: string;
  /** What the other side is told to send, AMF0 or AMF3. Set before `connect`. Default 3. */
  objectEncoding: 0 | 3;
  /**
   * New in Stagewire. Whether a connection that was accepted is made again, with the same arguments, when it ends for another reason
   * than `close` or a refusal: after 0.25 s, then twice as long each time, up to 10 s, a quarter more or less. `onStatus` hears
   * `NetConnection.Connect.Closed`, `Failed` for each attempt that is in vain, and `Success`; calls that wait fail once. Set before
   * `connect`, it is also done when the other side asks for it (`NetConnection.Connect.ReconnectRequest`), to where it says. Default
   * false.
   */
  reconnect: boolean;
  /**
   * Connects to `rtmp://host[:port]/app/instance`, with TLS to `rtmps://...`, and without a host, `rtmp:/app/instance`, on
   * this server. Further arguments go to the other side's `onConnect`. What becomes of it is told to `onStatus`. A connection
   * that it had is closed. False for what is neither RTMP nor HTTP.
   *
   * To `http://...` and `https://...`, a Flash Remoting gateway, there are calls only: AMF0 over HTTP, to where `fetch` may go.
   * `isConnected` is true from then on. The calls of one turn go in one packet, and the next when that one is answered. A
   * packet that comes to nothing fails its calls, and `onStatus` hears `NetConnection.Call.Failed`, or `BadVersion` for an
   * answer that is no AMF, once.
   */
  connect(uri: string, ...args: unknown[]): boolean;
  /**
   * For gateways: a header that goes with every packet from now on, in the place of one of that name. `undefined` removes
   * it. A gateway may ask for headers, too. Throws a RangeError beyond 100 headers, or 64 KB of them.
   */
  addHeader(name: string, mustUnderstand?: boolean, value?: unknown): void;
  /**
   * Calls a method of the Client object that stands for this connection, or of a gateway: `service.method`. False when it is
   * not connected, or when too many calls wait.
   */
  call(method: string, result?: ResultObject | null, ...args: unknown[]): boolean;
  /** New in Stagewire. As `call`, with a promise: rejects with a `CallError`, as `client.invoke` does. */
  invoke<T = any>(
    method: string | { readonly method: string; readonly timeoutMs?: number; readonly signal?: AbortSignal },
    ...args: unknown[]
  ): Promise<T>;
  /** The other side's `onDisconnect` is called; `onStatus` of this one is not. */
  close(): void;
  /** `NetConnection.Connect.Success`, `Rejected`, `Failed` and `Closed`, and what the other side says. */
  onStatus?(info: Info): void;

  /** Functions that the other side may call. */
  [handler: string]: any;
}

/**
 * Publishes a stream of this instance at the instance that a NetConnection leads to. Media never enters the script. When
 * new code takes over, what is published goes on for as long as the stream does; new code that publishes the same at the
 * same address has it from then on.
 */
declare class NetStream {
  /** Several may share a connection, which is connecting or connected when they publish. */
  constructor(connection: NetConnection);
  /** Seconds; 0 for no bound but the server's own. */
  readonly bufferTime: number;
  /** Seconds since the other side has begun to take it; 0 before. */
  readonly time: number;
  /** What is sent: a stream, whoever its source is, from its last key frame on; false for nothing. */
  attach(stream: Stream | false): boolean;
  /**
   * Publishes under that name: there it is "live", or recorded, too. What comes of it is told to `onStatus`. False for one
   * whose connection is closed. With false instead of a name it ends that, and says whether there was anything to end.
   */
  publish(name: string | false, mode?: 'live' | 'record' | 'append' | 'appendWithGap'): boolean;
  /** Calls `handler` of each NetStream that plays it there. False before `NetStream.Publish.Start`. */
  send(handler: string, ...args: unknown[]): boolean;
  /** When the other side is further behind, pictures are left out until a key frame. */
  setBufferTime(seconds: number): boolean;
  /**
   * `NetStream.Publish.Start`, `NetStream.Publish.BadName`, `NetStream.Unpublish.Success`; `NetStream.Play.InsufficientBW`
   * when pictures are left out; `NetStream.Failed` when it has ended and nobody wanted that. And what else the other side says.
   */
  onStatus?(info: Info): void;

  /** Yours: Stagewire does not touch it. */
  [own: string]: any;
}

/**
 * Variables over HTTP: the class of Flash Media Server 2. The variables are its own properties; handlers are not among
 * them, and what is no function is no handler. Requests go where `fetch` may go (`fetch.hosts` of `app.json`), with the
 * same limits; one that brings no answer is told in the log and to `application.onStatus`.
 */
declare class LoadVars {
  /** Of what is posted. Default `application/x-www-form-urlencoded`. */
  contentType: string;
  /** Undefined before `load`, then whether the answer is there. */
  loaded: boolean | undefined;
  addRequestHeader(name: string, value: string | number): void;
  addRequestHeader(namesAndValues: readonly (string | number)[]): void;
  /** Makes properties of `a=1&b=2`. A name that stands for a function is left out. */
  decode(text: string): void;
  /** Of the answer, in bytes; undefined before it is there. */
  getBytesLoaded(): number | undefined;
  getBytesTotal(): number | undefined;
  load(url: string): boolean;
  /** Nobody hears the answer. */
  send(url: string, target?: unknown, method?: 'GET' | 'POST'): boolean;
  /** The answer goes to `target`, which may be this object. */
  sendAndLoad(url: string, target: object, method?: 'GET' | 'POST'): boolean;
  toString(): string;
  /** The text of the answer, undefined when there is none or its status is no success. By default calls `decode` and `onLoad`. */
  onData(text: string | undefined): void;
  /** Before `onData`; 0 when there was no answer. */
  onHTTPStatus?(status: number): void;
  onLoad?(isOk: boolean): void;

  [variable: string]: any;
}

/** An element or a text of an XML document, as in ActionScript 1. */
interface XMLNode {
  /** Null of texts and of the document. */
  nodeName: string | null;
  /** Of texts. */
  nodeValue: string | null;
  /** 1: an element, or the document. 3: a text. */
  readonly nodeType: number;
  attributes: Record<string, any>;
  readonly childNodes: XMLNode[];
  readonly firstChild: XMLNode | null;
  readonly lastChild: XMLNode | null;
  readonly nextSibling: XMLNode | null;
  readonly previousSibling: XMLNode | null;
  readonly parentNode: XMLNode | null;
  readonly prefix: string | null;
  readonly localName: string | null;
  readonly namespaceURI: string | null;
  getNamespaceForPrefix(prefix: string): string | null;
  getPrefixForNamespace(uri: string): string | null;
  hasChildNodes(): boolean;
  /** Takes the node from where it was. */
  appendChild(node: XMLNode): void;
  insertBefore(node: XMLNode, before: XMLNode | null): void;
  removeNode(): void;
  cloneNode(isDeep?: boolean): XMLNode;
  toString(): string;

  [own: string]: any;
}

/**
 * An XML document: the class of Flash Media Server 2 and ActionScript 1. Nothing is validated, and entities of a document
 * type mean nothing. Elements may lie 256 deep, and a document has 65536 nodes and attributes at the most.
 */
declare class XML {
  constructor(source?: string);
  /** Leaves out texts of white space. Default false; `XML.prototype.ignoreWhite = true` is for all. */
  ignoreWhite: boolean;
  /** Of what is posted. Default `application/x-www-form-urlencoded`. */
  contentType: string;
  loaded: boolean | undefined;
  /**
   * 0, or what is wrong: -2 CDATA without end, -3 declaration without end, -4 document type without end, -5 comment
   * without end, -6 malformed element, -7 too many nodes or too deep, -8 attribute without end, -9 start-tag without
   * end-tag, -10 end-tag without start-tag.
   */
  status: number;
  xmlDecl: string | undefined;
  docTypeDecl: string | undefined;
  parseXML(source: string): void;
  createElement(name: string): XMLNode;
  createTextNode(text: string): XMLNode;
  addRequestHeader(name: string, value: string | number): void;
  addRequestHeader(namesAndValues: readonly (string | number)[]): void;
  getBytesLoaded(): number | undefined;
  getBytesTotal(): number | undefined;
  load(url: string): boolean;
  send(url: string, target?: unknown, method?: 'GET' | 'POST'): boolean;
  sendAndLoad(url: string, target: object): boolean;
  /** As that of `LoadVars`; by default calls `parseXML` and `onLoad`. */
  onData(text: string | undefined): void;
  onHTTPStatus?(status: number): void;
  /** Whether there was a text; `status` says whether it was good. */
  onLoad?(isOk: boolean): void;
}
/** A document is a node, too. */
interface XML extends XMLNode {}
