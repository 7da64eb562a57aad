// How to break what a row of test/api-checklist.md is about: `npm run api-coverage -- --spot 30` breaks some at random
// and runs the row's tests, which must fail. A break is a file, a text in it, and what stands there instead.

const application = 'runtime/application.ts';
const client = 'runtime/client.ts';
const calls = 'runtime/calls.ts';

/** Rows whose break needs to know more than the member's name. */
const RULES = {
  'APP-10': [application, '{ code: 302, redirect: url }', '{ code: 301, redirect: url }'],
  'CLI-32': [calls, '    return isReserved(at, value) ? undefined : value;', '    return undefined;'],
  'CLI-33': [calls, 'at = getPrototypeOf(at)) {', 'at = null) {'],
  'RPC-07': ['wire/amf0.ts', 'writer.u8(Amf0Marker.Undefined);', 'writer.u8(Amf0Marker.Null);'],
  'RPC-09': [
    'runtime/handlers.ts',
    'whenSettled(value, (settled) => done({ isOk: true, value: settled }), fail);',
    'done({ isOk: true, value });',
  ],
  'ENC-01': ['host/rtmp/session.ts', "      case 'releaseStream':\n", ''],
  'ENC-03': ['host/rtmp/session.ts', "  FCUnpublish: 'NetStream.Unpublish.Success',\n", ''],
  'ENC-04': ['host/rtmp/session.ts', "  FCSubscribe: 'NetStream.Play.Start',\n", ''],
  'ENC-05': ['host/rtmp/session.ts', "  FCUnsubscribe: 'NetStream.Play.Stop',\n", ''],
  'ENC-06': ['host/rtmp/session.ts', "      case '_checkbw':\n", ''],
  'LIFE-01': ['host/apps/registry.ts', 'if (app.instances.has(name)) return false;', 'return false;'],
  'LIFE-03': ['host/apps/instance.ts', 'this.#clients.count === 0 && !this.#isClosed', 'false'],
  'LIFE-06': ['host/server.ts', "instance?.unload('The instance was unloaded.');", ''],
  'LIFE-11': ['host/apps/incarnation.ts', 'lineno: place?.line ?? 0', 'lineno: 0'],
  'LIFE-13': [
    'host/apps/main-file.ts',
    'return names.flatMap((name) => [`scripts/',
    'return names.flatMap((name) => [`script/',
  ],
  'LIFE-16': ['host/rtmp/names.ts', "'_definst_'", "'default'"],
  'CON-01': [
    application,
    "if (!this.#has('onConnect')) return this.#accept(client);",
    "if (!this.#has('onConnect')) return;",
  ],
  'CON-02': [
    application,
    'else if (outcome.value === true) this.#accept(client);',
    'else if (outcome.value) this.#accept(client);',
  ],
  'CON-04': ['host/rtmp/session.ts', "    this.#send(encodeCommand('close', 0, null));\n", ''],
  'CON-05': ['host/rtmp/session.ts', '[ Server.Reject ] : ', ''],
  'CON-06': ['host/apps/seat.ts', "if (this.standing === 'accepted') {", 'if (true) {'],
  'CON-10': ['host/streams/net-stream.ts', "'NetStream.Play.Failed'", "'NetStream.Failed'"],
  'ST-01': ['host/apps/open-calls.ts', "'NetConnection.Call.Failed'", "'NetConnection.Call.Prohibited'"],
  'ST-02': ['host/apps/instance.ts', "'NetConnection.Connect.AppShutdown'", "'NetConnection.Connect.Failed'"],
  'ST-04': [application, "code: 'NetConnection.Connect.Rejected'", "code: 'x'"],
  'ST-15': [application, "'Application.Script.Error'", "'x'"],
  'ST-31': [
    'host/rtmp/session.ts',
    "status('NetConnection.Connect.Success'",
    "status('NetConnection.Connect.Failed'",
  ],
  'ST-51': ['host/apps/instance.ts', "'Application.Shutdown'", "'x'"],
  'ST-52': ['host/apps/instance.ts', "'Application.GC'", "'x'"],
  'CFG-02': ['host/apps/incarnation.ts', 'memoryMb: limits.heapMb,', 'memoryMb: 512,'],
  'CFG-03': ['host/core/isolate.ts', 'timeout: this.#handlerMs,', 'timeout: 60_000,'],
  'CFG-04': ['host/apps/classic/classic-build.ts', '[...options.scriptLib, OWN_LIBRARY]', '[OWN_LIBRARY]'],
  'CFG-09': ['host/apps/clients.ts', 'toClient: bytesPerSecondToClient,', 'toClient: 0,'],
  'CFG-35': [application, "fixed('config', options.config);", ''],
  'CFG-37': ['host/apps/registry.ts', 'this.#instanceCount >= limits.instances)', 'false)'],
  'MOD-02': [
    'runtime/handlers.ts',
    'whenSettled(value, (settled) => done({ isOk: true, value: settled }), fail);',
    'done({ isOk: true, value });',
  ],
  'MOD-03': [
    'runtime/handlers.ts',
    'whenSettled(value, (settled) => done({ isOk: true, value: settled }), fail);',
    'done({ isOk: true, value });',
  ],
  'MOD-10': [application, 'this.#listeners.emit(event, this.application, args);', ''],
  'MOD-21': [
    'host/apps/incarnation.ts',
    'const fields = { instance: name, build: build.id };',
    'const fields = { build: build.id };',
  ],
  'FIL-01': ['host/apps/files/paths.ts', "path.replace(/^\\//, '')", 'path'],
  'XS-01': ['runtime/not-offered.ts', "'XMLSocket XMLStreams", "'XMLStreams"],
  'P2P-03': ['runtime/not-offered.ts', ' NetGroup ', ' '],
  'APP-02': [application, 'list(this.#clients, client);', ''],
  'APP-16': ['host/apps/census.ts', 'this.#connects++;', ''],
  'APP-17': ['runtime/classes.ts', 'constructors.set(name, make as Constructor);', ''],
  'CLI-02': [
    'host/streams/play/playback.ts',
    "voice.data(0, '|RtmpSampleAccess', audio, video)",
    'void voice',
  ],
  'CLI-03': [
    'host/streams/play/playback.ts',
    "voice.data(0, '|RtmpSampleAccess', audio, video)",
    'void voice',
  ],
  'CLI-07': ['host/rtmp/connection.ts', 'this.protocol = `rtmp$', 'this.protocol = `x$'],
  'CLI-09': [
    'host/apps/clients.ts',
    'isCovered(isPlay ? readAccess : writeAccess',
    'isCovered(isPlay ? "/" : writeAccess',
  ],
  'CLI-10': [
    'host/apps/clients.ts',
    'isCovered(isPlay ? readAccess : writeAccess',
    'isCovered(isPlay ? readAccess : "/"',
  ],
  'CLI-24': ['host/apps/clients.ts', "if (seat?.standing === 'accepted') seat.end.checkBandwidth();", ''],
  'CLI-26': ['host/rtmp/bandwidth.ts', 'if (this.bytesPerSecond === 0) return 0;', 'return 0;'],
  'CLI-27': ['host/rtmp/connection.ts', 'this.traffic.bytesIn += bytes.length;', ''],
  'CLI-31': [calls, '?? resolveMissing(owner, path[last]!, functionIn)', ''],
  'RPC-01': [calls, 'unit !== DOT && unit !== SLASH', 'unit !== DOT'],
  'RPC-02': [
    'host/rtmp/session.ts',
    'if (run) this.#streamCommand(run, head, message);',
    'if (!name) return;',
  ],
  'RPC-03': [
    calls,
    'const proxy = proxyFor(name);',
    'const proxy = undefined as ReturnType<typeof proxyFor>;',
  ],
  'RPC-05': ['host/apps/open-calls.ts', 'Method not found (', 'Nothing ('],
  'RPC-06': ['runtime/rpc.ts', 'callFailed(describe(error).message)', "callFailed('x')"],
  'RPC-08': [calls, 'isReserved(at, value) ? undefined : value', 'value'],
  'RPC-10': [
    application,
    'this.#byNumber.delete(number);\n    if (wasAccepted)',
    'if (number > 0) return undefined;\n    if (wasAccepted)',
  ],
  'CON-03': [application, "if (side.standing !== 'pending') return;\n    this.#enter", 'this.#enter'],
  'CON-07': ['host/apps/clients.ts', "'Connection timed out'", "'x'"],
  'CON-08': ['host/apps/access.ts', 'segment === wanted[i]', 'wanted[i]?.startsWith(segment) === true'],
  'CON-09': [
    'host/streams/net-stream.ts',
    "else this.#voice.status('NetStream.Publish.BadName', refusal, name);",
    "else this.#voice.status('NetStream.Failed', refusal, name);",
  ],
  'CFG-01': [
    'host/apps/instance.ts',
    'this.#clients.wasUsed ? idleInstanceMs',
    'this.#clients.wasUsed ? 10 * idleInstanceMs + 60_000',
  ],
  'CFG-05': ['host/apps/registry.ts', 'if (isFirst && !this.#isStarted) this.#loadOnStartup(app);', ''],
  'CFG-10': [
    'host/rtmp/connection.ts',
    'this.#writer.chunkBytes = this.#limits.outChunkBytes',
    'this.#writer.chunkBytes = 60_000',
  ],
  'CFG-12': ['host/rtmp/connection.ts', 'now - this.#activeAt > idleClientMs', 'false'],
  'CFG-15': ['host/apps/instance.ts', 'this.#unloadIn(gcIntervalMs)', 'this.#unloadIn(100)'],
  'CFG-16': [client, 'bandwidth.cap > 0 && asked > bandwidth.cap', 'false'],
  'CFG-23': ['host/apps/files/sandbox.ts', 'shown?.folder ?? this.#folder', 'this.#folder'],
  'CFG-32': ['host/apps/access.ts', 'folderAccess ? folderOf(name) : name', 'name'],
  'CFG-34': ['host/apps/clients.ts', 'if (allowCalls && ', 'if (false && allowCalls && '],
  'CFG-36': ['host/apps/app-file.ts', 'if (forbidden !== undefined)', 'if (forbidden === "")'],
  'FIL-17': ['host/apps/files/files.ts', 'await file.truncate(0);', ''],
  'FIL-36': ['host/apps/files/paths.ts', "name === '.' || name === '..'", "name === '.'"],
  'LV-13': ['runtime/data/requests.ts', "tell(target, member, 'onHTTPStatus', status);", ''],
  'LIFE-05': ['host/apps/instance.ts', 'if (isVetoed) return this.#unloadIn(gcIntervalMs);', ''],
  'LIFE-07': ['host/apps/instance.ts', "this.#modeFor(build) === 'disconnect'", 'false'],
  'LIFE-08': [
    'host/apps/clients.ts',
    "reason: 'reload' });\n      }",
    "reason: 'reload' });\n        seat.end.disconnect();\n      }",
  ],
  'MOD-17': [
    'runtime/handover/main.ts',
    'graph.value(graph.roots, fromAuthor);\n    return',
    'graph.value(graph.roots, undefined);\n    return',
  ],
  'MOD-01': ['runtime/invocations.ts', 'if (waitMs < Infinity) cancel', 'if (waitMs < 0) cancel'],
  'MOD-05': ['runtime/rpc.ts', 'if (!found) return { method: undefined };', 'if (!found) return undefined;'],
  'MOD-09': [calls, 'done, isRpcError)', 'done)'],
  'MOD-20': ['host/apps/access.ts', "strict.includes('access')", 'false'],
  'MOD-22': ['runtime/rpc.ts', 'if (bucket.saved < 1) return false;', ''],
  'MOD-23': ['runtime/token/main.ts', 'nowS >= exp + expected.toleranceS', 'nowS >= exp + 600'],
  'SO-06': ['host/apps/script-shares.ts', 'object.slots.resyncDepth = command.depth;', ''],
  'SO-21': ['runtime/share/shared-object.ts', "runHandler('so.onStatus', onStatus", "void ('so.onStatus'"],
  'SO-27': ['host/shared-objects/slots.ts', 'version + this.resyncDepth < now', 'false'],
  'SO-29': [
    'host/shared-objects/store/database.ts',
    'for (const slot of save.slots) set.run(',
    'for (const slot of []) set.run(',
  ],
  'CFG-07': ['host/server.ts', 'Store.open(config.data', 'Store.open(config.apps'],
  'CFG-17': ['host/shared-objects/objects.ts', 'autoCommit ?? true', 'true'],
  'CFG-18': ['host/shared-objects/objects.ts', 'resyncDepth ?? -1', '-1'],
  'ST-28': [
    'host/shared-objects/shared-object.ts',
    "this.#audience.tell(writer, [...answers, statusEvent('SharedObject.Flush.Failed')]);",
    'this.#audience.tell(writer, answers);',
  ],
  'MOD-08': [
    'host/shared-objects/guard.ts',
    "if (decision.op === 'refuse' || isAsBefore) refused.push(event);",
    'if (isAsBefore) refused.push(event);',
  ],
  'MOD-11': ['runtime/share/data.ts', 'has: (_: object, key: PropertyKey) => isSlot(key)', 'has: () => true'],
  'MOD-12': ['runtime/share/shared-object.ts', 'else this.#rollBack(undo, before);', ''],
  'MOD-13': [
    'runtime/share/shared-object.ts',
    'oldValue: undefined, client };',
    'oldValue: undefined, client: undefined };',
  ],
  'MOD-14': ['host/apps/sharing.ts', 'this.#objects.clientLeft(seat.number);', ''],
  'SO-30': ['runtime/share/shared-object.ts', 'this.#locks = 1;\n    this.unlock();', ''],
  'CFG-19': ['host/shared-objects/scripts.ts', 'if (waitMs === 0) return;', 'return;'],
  'ST-16': ['host/rtmp/session.ts', "error.code === 'E_FORMAT'", 'false'],
  'ST-17': ['host/rtmp/session.ts', "if (code !== 'NetConnection.Connect.InvalidApp') return", 'return'],
  'ST-55': ['host/rtmp/connect-command.ts', 'CapsEx.Reconnect) !== 0', 'CapsEx.Reconnect) >= 0'],
  'ST-69': ['host/apps/incarnation.ts', 'this.#tellWarnings();', ''],
  'ST-32': ['host/rtmp/session.ts', 'NetConnection.Connect.IdleTimeout', 'NetConnection.Connect.Closed'],
  'ST-67': ['host/scripts/script.ts', 'this.#listener.onLowMemory(heapBytes);', ''],
  'STR-01': ['host/apps/script-streams.ts', 'if (!stream) return null;', "if (!stream) return ['x', 'x'];"],
  'STR-02': ['host/streams/library.ts', 'durationMs ?? 0) / 1000', 'durationMs ?? 0) / 100'],
  'STR-03': ['host/apps/script-streams.ts', '?.bytes) ?? 0', '?.durationMs) ?? 0'],
  'STR-04': ['runtime/stream/stream.ts', 'decodeValues(bytes)[1]', 'decodeValues(bytes)[0]'],
  'STR-06': ['host/apps/script-streams.ts', 'return this.#streams.stopBroadcast(name);', 'return true;'],
  'STR-07': ['runtime/stream/stream.ts', 'const BUFFER_TIME = 2;', 'const BUFFER_TIME = 3;'],
  'STR-11': ['wire/stream-name.ts', 'return { name, container,', 'return { name: named, container,'],
  'STR-12': ['runtime/stream.ts', "if (known) define(known, 'publishQueryString', request.query);", ''],
  'STR-13': ['host/streams/broadcast/broadcast.ts', '!this.receivesAudio) return', 'false) return'],
  'STR-14': ['host/streams/broadcast/broadcast.ts', '!this.receivesVideo) return', 'false) return'],
  'STR-15': ['host/streams/recording/recording.ts', '|| this.#isSynchronous()', ''],
  'STR-17': ['host/streams/directory.ts', 'this.#streams.get(name)?.publisher?.evicted();', ''],
  'STR-18': [
    'host/streams/recording/recording.ts',
    ': await this.#goOn();',
    ': await FlvFile.create(this.#path);',
  ],
  'STR-19': ['host/streams/library.ts', 'else await unlink(at);', ''],
  'STR-20': ['host/streams/directory.ts', 'await recording?.flush();', ''],
  'STR-21': ['host/apps/script-streams.ts', 'this.#streams.inject(name, command.values.slice());', ';'],
  'STR-22': ['runtime/stream/stream.ts', 'side.bufferTime = wanted;', ''],
  'STR-23': [
    'host/streams/net-stream.ts',
    "this.#owner.streams.tell(name, 'NetStream.Publish.Start'",
    "void (name, 'x'",
  ],
  'STR-24': ['host/streams/live-stream.ts', 'else if (!isOurs) this.#onData(message);', ''],
  'STR-25': ['host/streams/net-stream.ts', 'return publisher.isAlive(publishTimeoutMs);', 'return false;'],
  'STR-26': ['host/streams/net-stream.ts', 'return publisher.isAlive(publishTimeoutMs);', 'return true;'],
  'STR-27': ['host/streams/live-stream.ts', 'viewer.published()', 'viewer.unpublished()'],
  'STR-28': ['host/streams/late-join.ts', 'if (isVideoKeyFrame(payload)) this.#begin();', ''],
  'STR-29': ['host/streams/net-stream.ts', '&& streams.erasesOnPublish', ''],
  'STR-30': [
    'host/streams/broadcast/broadcast.ts',
    'this.#timeline.map(message, performance.now())',
    'message.timestamp',
  ],
  'STR-31': [
    'host/streams/library.ts',
    'depth = components.length - 1; depth > 0; depth--',
    'depth = 1; depth < 2; depth++',
  ],
  'STR-32': ['host/streams/live-stream.ts', 'passed > MAX_LATENCY_MS', 'passed > 60_000'],
  'STR-33': ['host/streams/viewer.ts', "excess > 1.5 ? 'media' : 'video'", "excess > 1.1 ? 'all' : 'video'"],
  'APP-14': ['host/streams/library.ts', 'if (recording) recording.clear();', 'if (recording) return true;'],
  'CLI-28': ['host/rtmp/session.ts', "if (name === 'getStreamLength') return", "if (name === 'x') return"],
  'ENC-08': [
    'host/rtmp/session.ts',
    "return this.#send(encodeCommand('_result', transaction, null, 0));",
    'return;',
  ],
  'DKF-01': ['host/streams/late-join.ts', 'this.#keep(this.#dataFrames, MAX_DATA_FRAMES, key, message);', ''],
  'DKF-02': ['host/streams/late-join.ts', 'this.#dataFrames.delete(key);', ''],
  'DKF-03': ['host/streams/relay.ts', "first === 'onMetaData'", "first === 'x'"],
  'LIFE-17': ['host/streams/library.ts', 'mkdir(at).catch(unlessThere)', 'Promise.resolve()'],
  'ST-05': ['host/streams/net-stream.ts', "'NetStream.Failed'", "'NetStream.Publish.BadName'"],
  'ST-07': [
    'host/streams/play/playback.ts',
    "      this.#voice.status('NetStream.Play.StreamNotFound'",
    "      this.#voice.status('NetStream.Play.Failed'",
  ],
  'ST-11': ['host/streams/play/live-item.ts', "'NetStream.Seek.Failed'", "'NetStream.Failed'"],
  'ST-18': [
    'host/streams/directory.ts',
    "this.tell(name, 'NetStream.Clear.Failed'",
    "this.tell(name, 'NetStream.Failed'",
  ],
  'ST-19': ['host/streams/play/file-item.ts', "'NetStream.Seek.InvalidTime'", "'NetStream.Seek.Failed'"],
  'ST-33': ['host/streams/play/file-item.ts', "'NetStream.Pause.Notify'", "'NetStream.Unpause.Notify'"],
  'ST-36': ['host/streams/play/playback.ts', "'NetStream.Play.Stop'", "'NetStream.Play.Reset'"],
  'ST-40': ['host/streams/play/playback.ts', '...file?.figures }', '}'],
  'ST-41': ['host/streams/play/playback.ts', "'NetStream.Play.Switch'", "'NetStream.Play.Complete'"],
  'ST-53': [
    'host/streams/directory.ts',
    "this.tell(name, 'NetStream.Clear.Success'",
    "this.tell(name, 'NetStream.Failed'",
  ],
  'ST-54': ['host/streams/idle-watch.ts', 'else this.#onIdle();', ''],
  'ST-68': ['host/streams/play/live-item.ts', "'NetStream.Play.InsufficientBW'", "'NetStream.Play.Failed'"],
  'CFG-08': ['host/rtmp/connection.ts', 'resolve(false), withinMs', 'resolve(false), 1'],
  'CFG-22': ['host/apps/instance.ts', 'host.settings.streams?.virtual ?? {}', '{}'],
  'CFG-27': ['host/apps/instance.ts', 'host.settings.streams?.eraseOnPublish === true', 'false'],
  'CFG-30': ['host/streams/library.ts', 'recordingMs: least(recordingMs, maxMs)', 'recordingMs: maxMs'],
  'ENC-02': ['host/rtmp/session.ts', "  FCPublish: 'NetStream.Publish.Start',\n", ''],
  'ENC-07': ['host/rtmp/session.ts', "if (name === 'checkBandwidth') this.checkBandwidth();", ''],
};

/** Where the members of a class are that has a part of the runtime to itself. */
const CLASSES = {
  File: ['runtime/file/file.ts'],
  LoadVars: ['runtime/data/load-vars.ts'],
  SharedObject: ['runtime/share/shared-object.ts'],
  XML: ['runtime/data/xml.ts', 'runtime/data/xml-node.ts'],
};

/** The break of a row; undefined where nobody has thought of one. `source` reads a file of the project. */
export function breakOf({ id, type, member }, source) {
  if (RULES[id]) return RULES[id];
  const ways = [];
  if (type === 'application') {
    ways.push([application, `hide(application, '${member}'`, `hide(application, '${member}_'`]);
    ways.push([application, `fixed('${member}'`, `fixed('${member}_'`]);
    ways.push([application, `this.#run('${member}'`, `this.#run('${member}_'`]);
    ways.push([application, `this.#has('${member}')`, `this.#has('${member}_')`]);
  }
  if (type === 'Client') {
    ways.push([client, `    this.${member} = info.${member};\n`, '']);
    ways.push([client, `\n  ${member}(`, `\n  ${member}_(`]);
  }
  for (const file of CLASSES[type] ?? []) {
    ways.push(
      [file, `\n  get ${member}(`, `\n  get ${member}_(`],
      [file, `\n  ${member}(`, `\n  ${member}_(`],
      [file, `\n  static ${member}(`, `\n  static ${member}_(`],
    );
    ways.push([file, `hide(this, '${member}',`, `hide(this, '${member}_',`]);
    ways.push([file, `hide(${type}.prototype, '${member}',`, `hide({}, '${member}',`]);
    ways.push([file, `    this.${member} = `, `    this.${member}_ = `]);
  }
  if (type === 'global') {
    for (const file of [
      'runtime/console.ts',
      'runtime/timers.ts',
      'runtime/load.ts',
      'runtime/attributes.ts',
    ])
      ways.push([file, `hide(global, '${member}'`, `hide(global, '${member}_'`]);
  }
  return ways.find(([file, text]) => source(file).includes(text));
}
