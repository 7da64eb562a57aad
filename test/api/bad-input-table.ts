/** What every argument is given, by name: code that makes it anew. `hostile` throws, and so does whatever reads one of those. */
export const VALUES: Readonly<Record<string, string>> = {
  undefined: 'undefined',
  null: 'null',
  true: 'true',
  seven: '7',
  fraction: '1.5',
  negative: '-1',
  NaN: 'NaN',
  Infinity: 'Infinity',
  huge: '2 ** 60',
  empty: '""',
  numeral: '"7"',
  word: '"x"',
  long: '"x".repeat(100_000)',
  object: '({})',
  array: '[]',
  function: '() => {}',
  symbol: 'Symbol("s")',
  bigint: '7n',
  bare: 'Object.create(null)',
  nested: '[revoked({}), Symbol("s")]',
  throwing: 'throwing()',
  revoked: 'revoked({})',
  dead: 'revoked(() => {})',
  traps: 'traps({})',
  trappedList: 'traps([])',
  shifty: 'shifty()',
  detached: 'detached()',
};

/** Words of the table for several values at once. `missing` is the argument that is not there, nor any after it. */
export const GROUPS: Readonly<Record<string, string>> = {
  nothing: 'missing undefined null',
  number: 'seven fraction negative NaN Infinity huge',
  text: 'empty numeral word long',
  callable: 'function dead',
  /** What becomes a text without complaint. */
  texty: 'undefined null true number text object array function bigint shifty detached',
  /** What becomes a number, NaN included. */
  numeric: 'undefined null true number text object array function bigint shifty detached',
  /** What AMF can say: functions are left out. */
  amf: 'nothing true number text object array callable bare shifty',
  bad: 'symbol bare nested throwing revoked dead traps trappedList',
  anything: 'nothing true number text object array function bigint shifty detached bad',
};

/** What the app of the table has beside the values. */
export const FIXTURES = `
  const hostile = () => { throw new RangeError('hostile'); };
  const throwing = () => ({
    get a() { hostile(); }, get length() { hostile(); }, get name() { hostile(); },
    toString: hostile, valueOf: hostile, [Symbol.toPrimitive]: hostile, [Symbol.iterator]: hostile,
  });
  const revoked = (target) => { const { proxy, revoke } = Proxy.revocable(target, {}); revoke(); return proxy; };
  const traps = (target) => new Proxy(target, new Proxy({}, { get: () => hostile }));
  let again = () => {};
  const detached = () => {
    const buffer = new ArrayBuffer(8);
    buffer.transfer();
    return buffer;
  };
  // Becomes 7 or "x", and does the same once more meanwhile.
  const shifty = () => ({
    [Symbol.toPrimitive](hint) {
      const run = again;
      again = () => {};
      try { run(); } catch {} finally { again = run; }
      application.onStatus = application.onStatus;
      return hint === 'number' ? 7 : 'x';
    },
  });
  let client;
  const waiting = [];
  /** A client that waits for its verdict. */
  const limbo = () => waiting.pop();
  const site = application.config.site;
  let answer;
  const files = {};
  const file = (kind) => {
    if (!files[kind]) {
      files[kind] = new File(kind + '.txt');
      files[kind].open(kind === 'binary' ? 'binary' : 'text', 'readWrite');
    }
    return files[kind];
  };
  const bytes = () => new Uint8Array(8);
  const raw = { name: 'HMAC', hash: 'SHA-256' };
  let key;
  const so = SharedObject.get('so');
  const node = () => new XML('<a x="1"><b/>text</a>').firstChild;
  const url = () => new URL('http://u:p@h:81/a?b=c#d');
  const params = () => new URLSearchParams('a=1');
  const signed = 'eyJhbGciOiJIUzI1NiJ9.e30.e30';
  let buffers;
  const vast = 'x'.repeat(2 ** 20);
  const target = { onData() {} };
  const quiet = { aborted: false, addEventListener() {}, removeEventListener() {} };`;

/** What scripts put on `application` to be called, and what ends the instance: they have tests of their own. */
export const HANDLERS: readonly string[] = [
  'onAppStart',
  'onAppStop',
  'onConnect',
  'onDisconnect',
  'onReattach',
  'onSave',
  'onRestore',
  'onPublish',
  'onUnpublish',
  'authorizePublish',
  'authorizePlay',
  'onStatus',
  'shutdown',
]
  .map((name) => `Application.${name}`)
  .concat('SharedObject.onSync', 'SharedObject.onStatus', 'Stream.onStatus');

/**
 * One row for each argument: the member and the argument, a call with X in its place, and the values that are fine.
 * All others are a TypeError that begins with the member's name; the last column says which are another error, and
 * what the member is called there when not by its own name. X of a row without an argument is one too many.
 */
export const TABLE = `
Application.acceptConnection client        | application.acceptConnection(X)                     | |
Application.rejectConnection client        | application.rejectConnection(X, "no")               | |
Application.rejectConnection description   | application.rejectConnection(limbo(), X)            | amf |
Application.rejectConnection error         | application.rejectConnection(limbo(), "no", X)      | amf |
Application.redirectConnection client      | application.redirectConnection(X, "rtmp://h/a")     | |
Application.redirectConnection url         | application.redirectConnection(limbo(), X)          | nothing text |
Application.redirectConnection description | application.redirectConnection(limbo(), "rtmp://h/a", X) | amf |
Application.redirectConnection error       | application.redirectConnection(limbo(), "rtmp://h/a", "no", X) | amf |
Application.disconnect client              | application.disconnect(X)                           | |
Application.broadcastMsg method            | application.broadcastMsg(X, 1)                      | numeral word long |
Application.broadcastMsg args              | application.broadcastMsg("m", 1, X)                 | amf |
Application.broadcastMsg args              | application.broadcastMsg("m", vast, X)              | | RangeError: amf
Application.clearSharedObjects path        | application.clearSharedObjects(X)                   | numeral word long |
Application.getStats                       | application.getStats(X)                             | anything |
Application.registerClass name             | application.registerClass(X, null)                  | numeral word long |
Application.registerClass make             | application.registerClass("C", X)                   | nothing function |
Application.registerProxy method           | application.registerProxy(X, null)                  | numeral word long |
Application.registerProxy target           | application.registerProxy("m", X)                   | nothing |
Application.registerProxy remoteMethod     | application.registerProxy("m", client, X)           | missing undefined numeral word long |
Application.gc                             | application.gc(X)                                   | anything |
Application.expose methods                 | application.expose(X)                               | object bare shifty detached |
Application.expose methods                 | application.expose({ own: X })                      | callable |
Application.expose methods                 | application.expose({ own: { call: X } })            | callable |
Application.expose methods                 | application.expose({ own: { args: X, call() {} } }) | undefined callable |
Application.expose methods                 | application.expose({ own: { perSecond: X, call() {} } }) | undefined true seven fraction Infinity huge numeral bigint shifty |
Application.on event                       | application.on(X, () => {})                         | |
Application.on listener                    | application.on("start", X)                          | callable |
RpcError.constructor code                  | new RpcError(X, "m", 1)                             | number text |
RpcError.constructor message               | new RpcError("Code", X)                             | missing texty |
RpcError.constructor data                  | new RpcError("Code", "m", X)                        | anything |

Client.constructor                         | new Client(X)                                       | | says: Client
Client.call method                         | client.call(X, null)                                | numeral word long |
Client.call result                         | client.call("m", X)                                 | nothing object array callable bare nested throwing revoked traps trappedList shifty detached |
Client.call args                           | client.call("m", null, X)                           | amf |
Client.call args                           | client.call("m", null, vast, X)                     | | RangeError: amf
Client.call args                           | client.call("m", {}, vast, X)                       | | RangeError: amf
Client.invoke method                       | client.invoke(X)                                    | | CallError: numeral word long
Client.invoke args                         | client.invoke("m", X)                               | | CallError: amf
Client.invoke args                         | client.invoke("m", vast, X)                         | | RangeError: amf
Invocation.method value                    | client.invoke({ method: X })                        | | says: client.invoke; CallError: numeral word long
Invocation.timeoutMs value                 | client.invoke({ method: "m", timeoutMs: X })        | | says: client.invoke; CallError: undefined null true seven fraction Infinity huge empty numeral array bigint shifty
Invocation.signal value                    | client.invoke({ method: "m", signal: X })           | | says: client.invoke; CallError: undefined null
AbortSignalLike.aborted value              | client.invoke({ method: "m", signal: { ...quiet, aborted: X } }) | | says: client.invoke; CallError: undefined null NaN empty; thrown: true number text object array function symbol bigint bare nested throwing revoked dead traps trappedList shifty detached
AbortSignalLike.reason value               | client.invoke({ method: "m", signal: { ...quiet, reason: X } }) | | says: client.invoke; CallError: anything
AbortSignalLike.addEventListener value     | client.invoke({ method: "m", signal: { ...quiet, addEventListener: X } }) | | says: client.invoke; CallError: function
AbortSignalLike.removeEventListener value  | client.invoke({ method: "m", signal: { ...quiet, removeEventListener: X } }) | | says: client.invoke; CallError: function dead
ResultObject.onResult value                | client.call("m", { onResult: X })                   | anything |
ResultObject.onStatus value                | client.call("m", { onStatus: X })                   | anything |
Client.readAccess value                    | client.readAccess = X                               | nothing text | RangeError: long
Client.writeAccess value                   | client.writeAccess = X                              | nothing text | RangeError: long
Client.audioSampleAccess value             | client.audioSampleAccess = X                        | nothing text | RangeError: long
Client.videoSampleAccess value             | client.videoSampleAccess = X                        | nothing text | RangeError: long
Client.ping                                | client.ping(X)                                      | anything |
Client.checkBandwidth                      | client.checkBandwidth(X)                            | anything |
Client.requestReconnect tcUrl              | client.requestReconnect(X)                          | nothing text | RangeError: long
Client.getStats                            | client.getStats(X)                                  | anything |
Client.getBandwidthLimit direction         | client.getBandwidthLimit(X)                         | null true empty array |
Client.setBandwidthLimit serverToClient    | waiting[0].setBandwidthLimit(X)                         | nothing true seven fraction huge empty numeral array bigint shifty |
Client.setBandwidthLimit clientToServer    | waiting[0].setBandwidthLimit(0, X)                      | nothing true seven fraction huge empty numeral array bigint shifty |
Client.__resolve value                     | client.__resolve = X                                | anything |
Client.on event                            | client.on(X, () => {})                              | |
Client.on listener                         | client.on("disconnect", X)                          | callable |
Stream.constructor                         | new Stream(X)                                       | | says: Stream
Application.clearStreams path              | application.clearStreams(X)                         | numeral word long |
Stream.get name                            | Stream.get(X)                                       | empty numeral word long |
Stream.length name                         | Stream.length(X)                                    | empty numeral word long |
Stream.size name                           | Stream.size(X)                                      | empty numeral word long |
Stream.getOnMetaData name                  | Stream.getOnMetaData(X)                             | empty numeral word long |
Stream.destroy stream                      | Stream.destroy(X)                                   | |
Stream.play source                         | Stream.get("bad").play(X)                           | empty numeral word long | says: stream.play
Stream.play start                          | Stream.get("bad").play("bad2", X)                   | missing numeric | says: stream.play
Stream.play length                         | Stream.get("bad").play("bad2", -2, X)               | missing numeric | says: stream.play
Stream.play reset                          | Stream.get("bad").play("bad2", -2, -1, X)           | anything |
Stream.play connection                     | Stream.get("bad").play("bad2", -2, -1, true, X)     | nothing | says: stream.play
Stream.record mode                         | Stream.get("bad3").record(X)                        | missing undefined | says: stream.record
Stream.record maxDuration                  | Stream.get("bad3").record("record", X)              | missing numeric | says: stream.record
Stream.record maxSize                      | Stream.get("bad3").record("record", -1, X)          | missing numeric | says: stream.record
Stream.send handler                        | Stream.get("bad").send(X)                           | numeral word long | says: stream.send
Stream.send args                           | Stream.get("bad").send("x", X)                      | amf | says: stream.send
Stream.clear                               | Stream.get("bad4").clear(X)                         | anything |
Stream.flush                               | Stream.get("bad4").flush(X)                         | anything |
Stream.setBufferTime seconds               | Stream.get("bad").setBufferTime(X)                  | null true seven fraction huge Infinity empty numeral array bigint shifty | says: stream.setBufferTime
Stream.syncWrite value                     | Stream.get("bad").syncWrite = X                     | anything |
Stream.receiveAudio value                  | Stream.get("bad").receiveAudio = X                  | anything |
Stream.receiveVideo value                  | Stream.get("bad").receiveVideo = X                  | anything |

load file                                  | load(X)                                             | | StagewireError: numeral word
trace value                                | trace(X)                                            | missing texty symbol |
console.log values                         | console.log(X)                                      | anything |
console.info values                        | console.info(X)                                     | anything |
console.debug values                       | console.debug(X)                                    | anything |
console.warn values                        | console.warn(X)                                     | anything |
console.error values                       | console.error(X)                                    | anything |
setAttributes object                       | setAttributes(X, "m", true, true, true)             | object array function bare nested throwing shifty detached |
setAttributes name                         | setAttributes({}, X, true, true, true)              | missing texty |
setAttributes isEnumerable                 | setAttributes({ m: 1 }, "m", X, true, true)         | anything |
setAttributes isReadonly                   | setAttributes({ m: 1 }, "m", true, X, true)         | anything |
setAttributes isPermanent                  | setAttributes({ m: 1 }, "m", true, true, X)         | anything |
setTimeout callback                        | setTimeout(X, 1e6)                                  | callable |
setTimeout ms                              | setTimeout(() => {}, X)                             | missing numeric |
setTimeout args                            | setTimeout(() => {}, 1e6, X)                        | anything |
setInterval callback                       | setInterval(X, 1e6)                                 | callable |
setInterval ms                             | clearInterval(setInterval(() => {}, X))             | missing numeric |
setInterval args                           | setInterval(() => {}, 1e6, X)                       | anything |
setInterval object                         | setInterval(X, "m", 1e6)                            | object array callable bare nested throwing revoked traps trappedList shifty detached |
setInterval method                         | setInterval({}, X, 1e6)                             | text |
clearTimeout id                            | clearTimeout(X)                                     | missing numeric |
clearInterval id                           | clearInterval(X)                                    | missing numeric |
keep initial                               | keep(X)                                             | |
keep name                                  | keep({}, X)                                         | |
queueMicrotask callback                    | queueMicrotask(X)                                   | callable |

SharedObject.constructor                   | new SharedObject(X)                                 | | says: SharedObject
SharedObject.get name                      | SharedObject.get(X)                                 | numeral word |
SharedObject.get persistence               | SharedObject.get("p", X)                            | nothing true |
SharedObject.commit name                   | SharedObject.commit(X)                              | nothing text |
SharedObject.autoCommit value              | so.autoCommit = X                                   | anything |
SharedObject.resyncDepth value             | so.resyncDepth = X                                  | seven fraction negative Infinity huge | says: so.resyncDepth
SharedObject.getProperty name              | so.getProperty(X)                                   | number numeral word | says: so.getProperty; RangeError: long
SharedObject.getPropertyNames              | so.getPropertyNames(X)                              | anything |
SharedObject.setProperty name              | so.setProperty(X, 1)                                | number numeral word | says: so.setProperty; RangeError: long
SharedObject.setProperty value             | so.setProperty("k", X)                              | nothing true number empty numeral word object array function bare shifty callable | says: so.setProperty; RangeError: long
SharedObject.setProperty options           | so.setProperty("k", 1, X)                           | nothing object array function bare nested throwing shifty detached | says: so.setProperty
SharedObject.setProperty options           | so.setProperty("k", 1, { until: X })                | nothing | says: so.setProperty
SharedObject.size                          | so.size(X)                                          | anything |
SharedObject.clear                         | so.clear(X)                                         | anything |
SharedObject.send method                   | so.send(X)                                          | numeral word long | says: so.send
SharedObject.send args                     | so.send("m", X)                                     | amf | says: so.send
SharedObject.mark method                   | so.mark(X)                                          | numeral word long | says: so.mark
SharedObject.mark args                     | so.mark("m", X)                                     | amf | says: so.mark
SharedObject.lock                          | so.lock(X)                                          | anything |
SharedObject.unlock                        | so.unlock(X)                                        | anything |
SharedObject.authorize value               | so.authorize = X                                    | nothing callable | says: so.authorize
SharedObject.transaction change            | so.transaction(X)                                   | function | says: so.transaction; own: dead
SharedObject.watch name                    | so.watch(X, () => {})()                             | number numeral word | says: so.watch; RangeError: long
SharedObject.watch listener                | so.watch("k", X)()                                  | callable | says: so.watch
SharedObject.purge version                 | so.purge(X)                                         | seven fraction huge Infinity | says: so.purge
SharedObject.saved                         | so.saved(X)                                         | anything |
SharedObject.flush                         | so.flush(X)                                         | anything |
SharedObject.close                         | SharedObject.get("gone").close(X)                   | anything |
File.constructor path                      | new File(X)                                         | text | says: File
File.position value                        | file("text").position = X                           | seven |
File.open type                             | new File("text.txt").open(X, "nothing")             | |
File.open mode                             | new File("none.txt").open("text", X)                | |
File.close                                 | new File("text.txt").close(X)                       | anything |
File.read count                            | file("text").read(X)                                | seven fraction Infinity huge |
File.readByte                              | file("binary").readByte(X)                          | anything |
File.readln                                | file("text").readln(X)                              | anything |
File.readAll                               | file("text").readAll(X)                             | anything |
File.eof                                   | file("text").eof(X)                                 | anything |
File.write values                          | file("text").write(X)                               | missing texty symbol |
File.writeln values                        | file("text").writeln(X)                             | missing texty symbol |
File.writeAll lines                        | file("text").writeAll(X)                            | array |
File.writeByte byte                        | file("binary").writeByte(X)                         | seven |
File.flush                                 | file("text").flush(X)                               | anything |
File.seek bytes                            | file("text").seek(X)                                | seven negative huge |
File.list filter                           | new File("folder").list(X)                          | nothing function | own: dead
File.mkdir name                            | new File("folder").mkdir(X)                         | text |
File.copyTo path                           | new File("text.txt").copyTo(X)                      | text |
File.renameTo path                         | new File("none.txt").renameTo(X)                    | text |
File.remove isRecursive                    | new File("none.txt").remove(X)                      | missing undefined true |
File.toString                              | file("text").toString(X)                            | anything |

verifyToken token                          | verifyToken(X, "secret")                            | | TypeError: missing; RpcError: anything
verifyToken key                            | verifyToken(signed, X)                             | | RpcError: numeral word; TypeError: long
verifyToken expected                       | verifyToken(signed, "secret", X)                   | | RpcError: missing undefined object bare shifty detached
TokenExpectations.algorithms value         | verifyToken(signed, "secret", { algorithms: X })   | | says: verifyToken; RpcError: undefined array
TokenExpectations.issuer value             | verifyToken(signed, "secret", { issuer: X })       | | says: verifyToken; RpcError: numeral word long
TokenExpectations.audience value           | verifyToken(signed, "secret", { audience: X })     | | says: verifyToken; RpcError: numeral word long
TokenExpectations.subject value            | verifyToken(signed, "secret", { subject: X })      | | says: verifyToken; RpcError: numeral word long
TokenExpectations.toleranceS value         | verifyToken(signed, "secret", { toleranceS: X })   | | says: verifyToken; RpcError: undefined seven fraction Infinity huge
TokenExpectations.ignoresExpiry value      | verifyToken(signed, "secret", { ignoresExpiry: X }) | | says: verifyToken; RpcError: undefined true

performance.now                            | performance.now(X)                                  | anything |
crypto.getRandomValues view                | crypto.getRandomValues(X)                           | |
crypto.randomUUID                          | crypto.randomUUID(X)                                | anything |
SubtleCrypto.digest algorithm              | crypto.subtle.digest(X, bytes())                    | | says: crypto.subtle.digest; TypeError: missing throwing revoked traps trappedList; NotSupportedError: anything
SubtleCrypto.digest data                   | crypto.subtle.digest("SHA-1", X)                    | detached | says: crypto.subtle.digest
SubtleCrypto.importKey format              | crypto.subtle.importKey(X, bytes(), raw, false, ["sign"]) | | says: crypto.subtle.importKey; TypeError: missing; NotSupportedError: anything
SubtleCrypto.importKey secret              | crypto.subtle.importKey("raw", X, raw, false, ["sign"]) | | says: crypto.subtle.importKey; DataError: detached
SubtleCrypto.importKey algorithm           | crypto.subtle.importKey("raw", bytes(), X, false, ["sign"]) | | says: crypto.subtle.importKey; TypeError: missing throwing revoked traps trappedList; NotSupportedError: anything
SubtleCrypto.importKey extractable         | crypto.subtle.importKey("raw", bytes(), raw, X, ["sign"]) | anything | says: crypto.subtle.importKey; TypeError: missing
SubtleCrypto.importKey usages              | crypto.subtle.importKey("raw", bytes(), raw, true, X) | | says: crypto.subtle.importKey; SyntaxError: array nested
SubtleCrypto.importKey algorithm           | crypto.subtle.importKey("raw", bytes(), { name: X, hash: "SHA-1" }, true, ["sign"]) | | says: crypto.subtle.importKey; NotSupportedError: anything
SubtleCrypto.importKey algorithm           | crypto.subtle.importKey("raw", bytes(), { name: "HMAC", hash: X }, true, ["sign"]) | | says: crypto.subtle.importKey; TypeError: throwing revoked traps trappedList; NotSupportedError: anything
SubtleCrypto.sign algorithm                | crypto.subtle.sign(X, key, bytes())                 | | says: crypto.subtle.sign; TypeError: missing throwing revoked traps trappedList; NotSupportedError: anything
SubtleCrypto.sign key                      | crypto.subtle.sign("HMAC", X, bytes())              | | says: crypto.subtle.sign
SubtleCrypto.sign data                     | crypto.subtle.sign("HMAC", key, X)                  | detached | says: crypto.subtle.sign
SubtleCrypto.verify algorithm              | crypto.subtle.verify(X, key, bytes(), bytes())      | | says: crypto.subtle.verify; TypeError: missing throwing revoked traps trappedList; NotSupportedError: anything
SubtleCrypto.verify key                    | crypto.subtle.verify("HMAC", X, bytes(), bytes())   | | says: crypto.subtle.verify
SubtleCrypto.verify signature              | crypto.subtle.verify("HMAC", key, X, bytes())       | detached | says: crypto.subtle.verify
SubtleCrypto.verify data                   | crypto.subtle.verify("HMAC", key, bytes(), X)       | detached | says: crypto.subtle.verify

URL.constructor input                      | new URL(X, "http://h/")                             | texty | TypeError: long
URL.constructor base                       | new URL("a", X)                                     | |
URL.canParse input                         | URL.canParse(X, "http://h/")                        | texty | TypeError: long
URL.canParse base                          | URL.canParse("http://h/", X)                        | missing texty | TypeError: long
URL.parse input                            | URL.parse(X, "http://h/")                           | texty | TypeError: long
URL.parse base                             | URL.parse("http://h/", X)                           | missing texty | TypeError: long
URL.href value                             | url().href = X                                      | |
URL.protocol value                         | url().protocol = X                                  | texty | TypeError: long
URL.username value                         | url().username = X                                  | texty | TypeError: long
URL.password value                         | url().password = X                                  | texty | TypeError: long
URL.host value                             | url().host = X                                      | texty | TypeError: long
URL.hostname value                         | url().hostname = X                                  | texty | TypeError: long
URL.port value                             | url().port = X                                      | texty | TypeError: long
URL.pathname value                         | url().pathname = X                                  | texty | TypeError: long
URL.search value                           | url().search = X                                    | texty | TypeError: long
URL.hash value                             | url().hash = X                                      | texty | TypeError: long
URL.toString                               | url().toString(X)                                   | anything |
URL.toJSON                                 | url().toJSON(X)                                     | anything |
URLSearchParams.constructor init           | new URLSearchParams(X)                              | missing texty bare |
URLSearchParams.append name                | params().append(X, "v")                             | texty |
URLSearchParams.append value               | params().append("n", X)                             | texty |
URLSearchParams.delete name                | params().delete(X)                                  | texty |
URLSearchParams.delete value               | params().delete("n", X)                             | missing texty |
URLSearchParams.get name                   | params().get(X)                                     | texty |
URLSearchParams.getAll name                | params().getAll(X)                                  | texty |
URLSearchParams.has name                   | params().has(X)                                     | texty |
URLSearchParams.has value                  | params().has("n", X)                                | missing texty |
URLSearchParams.set name                   | params().set(X, "v")                                | texty |
URLSearchParams.set value                  | params().set("n", X)                                | texty |
URLSearchParams.sort                       | params().sort(X)                                    | anything |
URLSearchParams.forEach callback           | params().forEach(X)                                 | function | own: dead
URLSearchParams.forEach self               | params().forEach(() => {}, X)                       | anything |
URLSearchParams.keys                       | params().keys(X)                                    | anything |
URLSearchParams.values                     | params().values(X)                                  | anything |
URLSearchParams.entries                    | params().entries(X)                                 | anything |
URLSearchParams.[Symbol.iterator]          | params()[Symbol.iterator](X)                        | anything |
URLSearchParams.toString                   | params().toString(X)                                | anything |
TextEncoder.constructor                    | new TextEncoder(X)                                  | anything |
TextEncoder.encode text                    | new TextEncoder().encode(X)                         | missing texty |
TextEncoder.encodeInto text                | new TextEncoder().encodeInto(X, bytes())            | texty |
TextEncoder.encodeInto target              | new TextEncoder().encodeInto("x", X)                | |
TextDecoder.constructor label              | new TextDecoder(X)                                  | | fine: missing undefined; RangeError: texty
TextDecoder.constructor options            | new TextDecoder("utf-8", X)                         | nothing object array function bare nested throwing shifty detached |
TextDecoder.constructor options            | new TextDecoder("utf-8", { fatal: X, ignoreBOM: X }) | anything |
TextDecoder.decode bytes                   | new TextDecoder().decode(X)                         | missing undefined detached |
TextDecoder.decode options                 | new TextDecoder().decode(bytes(), X)                | nothing object array function bare nested throwing shifty detached |
structuredClone value                      | structuredClone(X)                                  | undefined null true number text object array bigint bare shifty | DataCloneError: function symbol dead detached; own: throwing traps trappedList
structuredClone options                    | structuredClone(1, { transfer: X })                 | undefined array | DataCloneError: nested
structuredClone options                    | structuredClone({ get a() { buffers[0].transfer(); return X; } }, { transfer: (buffers = [new ArrayBuffer(8)]) }) | | TypeError: nested revoked; own: throwing traps trappedList; DataCloneError: anything
structuredClone options                    | structuredClone(1, X)                               | nothing object array function bare nested throwing shifty detached | TypeError: detached
btoa text                                  | btoa(X)                                             | texty |
atob base64                                | atob(X)                                             | | fine: null true NaN Infinity huge empty long array; InvalidCharacterError: texty
Event.constructor type                     | new Event(X)                                        | texty |
Event.constructor options                  | new Event("x", X)                                   | nothing object array function bare nested throwing shifty detached |
Event.constructor options                  | new Event("x", { bubbles: X, cancelable: X, composed: X }) | anything |
Event.composedPath                         | new Event("x").composedPath(X)                      | anything |
Event.preventDefault                       | new Event("x").preventDefault(X)                    | anything |
Event.stopPropagation                      | new Event("x").stopPropagation(X)                   | anything |
Event.stopImmediatePropagation             | new Event("x").stopImmediatePropagation(X)          | anything |
EventTarget.constructor                    | new EventTarget(X)                                  | anything |
EventTarget.addEventListener type          | new EventTarget().addEventListener(X, () => {})     | texty |
EventTarget.addEventListener listener      | new EventTarget().addEventListener("x", X)          | undefined null object array callable bare nested throwing revoked traps trappedList shifty detached |
EventTarget.addEventListener options       | new EventTarget().addEventListener("x", null, X)    | anything | TypeError: revoked traps trappedList
EventTarget.addEventListener options       | new EventTarget().addEventListener("x", null, { capture: X, once: X, passive: X }) | anything |
EventTarget.addEventListener options       | new EventTarget().addEventListener("x", null, { signal: X }) | undefined |
EventTarget.removeEventListener type       | new EventTarget().removeEventListener(X, () => {})  | texty |
EventTarget.removeEventListener listener   | new EventTarget().removeEventListener("x", X)       | undefined null object array callable bare nested throwing revoked traps trappedList shifty detached |
EventTarget.removeEventListener options    | new EventTarget().removeEventListener("x", null, X) | anything | TypeError: revoked traps trappedList
EventTarget.dispatchEvent event            | new EventTarget().dispatchEvent(X)                  | |
AbortController.constructor                | new AbortController(X)                              | anything |
AbortController.abort reason               | new AbortController().abort(X)                      | anything |
AbortSignal.constructor                    | new AbortSignal(X)                                  | |
AbortSignal.abort reason                   | AbortSignal.abort(X)                                | anything |
AbortSignal.timeout ms                     | AbortSignal.timeout(X)                              | null true seven fraction empty numeral array bigint shifty |
AbortSignal.any signals                    | AbortSignal.any(X)                                  | array |
AbortSignal.onabort value                  | new AbortController().signal.onabort = X            | anything |
AbortSignal.throwIfAborted                 | new AbortController().signal.throwIfAborted(X)      | anything |
DOMException.constructor message           | new DOMException(X)                                 | missing texty |
DOMException.constructor name              | new DOMException("m", X)                            | missing texty |

fetch url                                  | fetch(X)                                            | | FetchError: text
fetch options                              | fetch("http://h/", X)                               | | FetchError: nothing object array bare nested throwing shifty detached
FetchOptions.method value                  | fetch("http://h/", { method: X })                   | | says: fetch; FetchError: undefined text
FetchOptions.headers value                 | fetch("http://h/", { headers: X })                  | | says: fetch; FetchError: undefined null object array bare shifty detached
FetchOptions.body value                    | fetch("http://h/", { body: X })                     | | says: fetch; FetchError: undefined null text detached
FetchOptions.redirect value                | fetch("http://h/", { redirect: X })                 | | says: fetch; FetchError: undefined
FetchOptions.timeoutMs value               | fetch("http://h/", { timeoutMs: X })                | | says: fetch; FetchError: undefined seven fraction Infinity huge
FetchOptions.signal value                  | fetch("http://h/", { signal: X })                   | | says: fetch; FetchError: undefined null
FetchHeaders.get name                      | answer.headers.get(X)                               | missing texty | says: headers.get
FetchHeaders.has name                      | answer.headers.has(X)                               | missing texty | says: headers.has
FetchHeaders.getSetCookie                  | answer.headers.getSetCookie(X)                      | anything |
FetchHeaders.forEach callback              | answer.headers.forEach(X)                           | function | own: dead; says: headers.forEach
FetchHeaders.forEach self                  | answer.headers.forEach(() => {}, X)                 | anything |
FetchHeaders.keys                          | answer.headers.keys(X)                              | anything |
FetchHeaders.values                        | answer.headers.values(X)                            | anything |
FetchHeaders.entries                       | answer.headers.entries(X)                           | anything |
FetchResponse.text                         | fetch(site).then((response) => response.text(X))    | anything |
FetchResponse.json                         | fetch(site).then((response) => response.json(X))    | anything |
FetchResponse.bytes                        | fetch(site).then((response) => response.bytes(X))   | anything |
FetchResponse.arrayBuffer                  | fetch(site).then((response) => response.arrayBuffer(X)) | anything |

NetConnection.constructor                  | new NetConnection(X)                                | anything |
NetConnection.objectEncoding value         | new NetConnection().objectEncoding = X              | | says: NetConnection.objectEncoding
NetConnection.reconnect value              | new NetConnection().reconnect = X                   | true | says: NetConnection.reconnect
NetConnection.connect uri                  | new NetConnection().connect(X)                      | text | says: NetConnection.connect
NetConnection.connect args                 | new NetConnection().connect("x", X)                 | amf | says: NetConnection.connect
NetConnection.call method                  | new NetConnection().call(X)                         | numeral word long | says: NetConnection.call
NetConnection.call result                  | new NetConnection().call("m", X)                    | nothing object array callable bare nested throwing revoked dead traps trappedList shifty detached | says: NetConnection.call
NetConnection.call args                    | new NetConnection().call("m", null, X)              | amf | says: NetConnection.call
NetConnection.invoke method                | new NetConnection().invoke(X)                       | | says: NetConnection.invoke; CallError: numeral word long
NetConnection.invoke args                  | new NetConnection().invoke("m", X)                  | | says: NetConnection.invoke; CallError: amf
NetConnection.addHeader name               | new NetConnection().addHeader(X)                    | numeral word long | says: NetConnection.addHeader
NetConnection.addHeader mustUnderstand     | new NetConnection().addHeader("h", X)               | anything |
NetConnection.addHeader value              | new NetConnection().addHeader("h", true, X)         | nothing true number empty numeral word object array callable bare shifty | says: NetConnection.addHeader; RangeError: long
NetConnection.close                        | new NetConnection().close(X)                        | anything |
NetStream.constructor connection           | new NetStream(X)                                    | | says: NetStream
NetStream.attach stream                    | new NetStream(new NetConnection()).attach(X)        | | says: NetStream.attach
NetStream.publish name                     | new NetStream(new NetConnection()).publish(X)       | numeral word | says: NetStream.publish
NetStream.publish mode                     | new NetStream(new NetConnection()).publish("x", X)  | missing undefined | says: NetStream.publish
NetStream.send handler                     | new NetStream(new NetConnection()).send(X)          | numeral word long | says: NetStream.send
NetStream.send args                        | new NetStream(new NetConnection()).send("m", X)     | amf | says: NetStream.send
NetStream.setBufferTime seconds            | new NetStream(new NetConnection()).setBufferTime(X) | null true seven fraction huge Infinity empty numeral array bigint shifty | says: NetStream.setBufferTime
NetStream.onStatus value                   | Object.assign(new NetStream(new NetConnection()), { onStatus: X }).publish("x") | anything |
NetConnection.onStatus value               | Object.assign(new NetConnection(), { onStatus: X }).connect("x") | anything |
LoadVars.constructor                       | new LoadVars(X)                                     | anything |
LoadVars.contentType value                 | Object.assign(new LoadVars(), { contentType: X }).send(site) | text | says: LoadVars.send
LoadVars.loaded value                      | new LoadVars().loaded = X                           | anything |
LoadVars.addRequestHeader name             | new LoadVars().addRequestHeader(X, "v")             | array text |
LoadVars.addRequestHeader value            | new LoadVars().addRequestHeader("n", X)             | number text |
LoadVars.addRequestHeader namesAndValues   | new LoadVars().addRequestHeader(["n", X])           | number text |
LoadVars.decode text                       | new LoadVars().decode(X)                            | text |
LoadVars.getBytesLoaded                    | new LoadVars().getBytesLoaded(X)                    | anything |
LoadVars.getBytesTotal                     | new LoadVars().getBytesTotal(X)                     | anything |
LoadVars.load url                          | new LoadVars().load(X)                              | text |
LoadVars.send url                          | new LoadVars().send(X)                              | text |
LoadVars.send target                       | new LoadVars().send(site, X)                        | anything |
LoadVars.send method                       | new LoadVars().send(site, null, X)                  | nothing |
LoadVars.sendAndLoad url                   | new LoadVars().sendAndLoad(X, target)               | text |
LoadVars.sendAndLoad target                | new LoadVars().sendAndLoad(site, X)                 | object array bare nested throwing shifty detached |
LoadVars.sendAndLoad method                | new LoadVars().sendAndLoad(site, target, X)         | nothing |
LoadVars.toString                          | new LoadVars().toString(X)                          | anything |
LoadVars.toString                          | Object.assign(new LoadVars(), { variable: X }).toString() | | fine: function dead symbol; TypeError: bad; fine: anything
LoadVars.onData text                       | new LoadVars().onData(X)                            | missing undefined text | says: LoadVars.decode
LoadVars.onHTTPStatus value                | new LoadVars().onHTTPStatus = X                     | anything |
LoadVars.onLoad value                      | new LoadVars().onLoad = X                           | anything |

XMLNode.nodeName value                     | (n => { n.nodeName = X; n.toString(); })(node())    | texty symbol | says: XML.
XMLNode.nodeValue value                    | (n => { n.nodeValue = X; n.toString(); })(node().lastChild) | texty symbol | says: XML.
XMLNode.attributes value                   | (n => { n.attributes = X; n.toString(); })(node())  | object array bare shifty detached | says: XML.
XMLNode.getNamespaceForPrefix prefix       | node().getNamespaceForPrefix(X)                     | missing texty symbol | says: XML.getNamespaceForPrefix
XMLNode.getPrefixForNamespace uri          | node().getPrefixForNamespace(X)                     | anything |
XMLNode.hasChildNodes                      | node().hasChildNodes(X)                             | anything |
XMLNode.appendChild node                   | node().appendChild(X)                               | | says: XML.appendChild
XMLNode.insertBefore node                  | node().insertBefore(X, null)                        | | says: XML.insertBefore
XMLNode.insertBefore before                | node().insertBefore(node(), X)                      | nothing | says: XML.insertBefore
XMLNode.removeNode                         | node().removeNode(X)                                | anything |
XMLNode.cloneNode isDeep                   | node().cloneNode(X)                                 | anything |
XMLNode.toString                           | node().toString(X)                                  | anything |
XML.constructor source                     | new XML(X)                                          | missing texty |
XML.ignoreWhite value                      | Object.assign(new XML(), { ignoreWhite: X }).parseXML("<a/>") | anything |
XML.contentType value                      | Object.assign(new XML(), { contentType: X }).send(site) | text | says: XML.send
XML.loaded value                           | new XML().loaded = X                                | anything |
XML.status value                           | new XML().status = X                                | anything |
XML.xmlDecl value                          | Object.assign(new XML(), { xmlDecl: X }).toString() | texty symbol | says: XML.
XML.docTypeDecl value                      | Object.assign(new XML(), { docTypeDecl: X }).toString() | texty symbol | says: XML.
XML.parseXML source                        | new XML().parseXML(X)                               | text |
XML.createElement name                     | new XML().createElement(X)                          | text |
XML.createTextNode text                    | new XML().createTextNode(X)                         | text |
XML.addRequestHeader name                  | new XML().addRequestHeader(X, "v")                  | array text |
XML.addRequestHeader value                 | new XML().addRequestHeader("n", X)                  | number text |
XML.addRequestHeader namesAndValues        | new XML().addRequestHeader(["n", X])                | number text |
XML.getBytesLoaded                         | new XML().getBytesLoaded(X)                         | anything |
XML.getBytesTotal                          | new XML().getBytesTotal(X)                          | anything |
XML.load url                               | new XML().load(X)                                   | text |
XML.send url                               | new XML().send(X)                                   | text |
XML.send target                            | new XML().send(site, X)                             | anything |
XML.send method                            | new XML().send(site, null, X)                       | nothing |
XML.sendAndLoad url                        | new XML().sendAndLoad(X, target)                    | text |
XML.sendAndLoad target                     | new XML().sendAndLoad(site, X)                      | object array bare nested throwing shifty detached |
XML.onData text                            | new XML().onData(X)                                 | anything |
XML.onHTTPStatus value                     | new XML().onHTTPStatus = X                          | anything |
XML.onLoad value                           | new XML().onLoad = X                                | anything |
`;
