// How to break what a row of test/api-checklist.md is about: `npm run api-coverage -- --spot 30` breaks some at random
// and runs the row's tests, which must fail. A break is a file, a text in it, and what stands there instead.

const application = 'runtime/application.ts';
const client = 'runtime/client.ts';
const calls = 'runtime/calls.ts';

/** Rows whose break needs to know more than the member's name. */
const RULES = {
  'APP-02': [application, 'list(this.#clients, client);', ''],
  'APP-16': ['host/apps/census.ts', 'this.#connects++;', ''],
  'APP-17': ['runtime/classes.ts', 'constructors.set(name, make as Constructor);', ''],
  'CLI-02': ['host/streams/net-stream.ts', 'this.#allowSamples(name);', ''],
  'CLI-03': ['host/streams/net-stream.ts', 'this.#allowSamples(name);', ''],
  'CLI-07': ['host/rtmp/connection.ts', "isSecure ? 'rtmps' : 'rtmp'", "'x'"],
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
    "if (!verdict.isAllowed) this.#status('NetStream.Publish.BadName'",
    "if (!verdict.isAllowed) this.#status('NetStream.Failed'",
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
  'LIFE-07': ['host/apps/instance.ts', "this.#host.settings.reload === 'disconnect'", 'false'],
  'MOD-01': ['runtime/invocations.ts', 'if (waitMs < Infinity) cancel', 'if (waitMs < 0) cancel'],
  'MOD-05': ['runtime/rpc.ts', 'if (!found) return { method: undefined };', 'if (!found) return undefined;'],
  'MOD-09': [calls, 'done, isRpcError)', 'done)'],
  'MOD-20': ['host/apps/access.ts', "strict.includes('access')", 'false'],
  'MOD-22': ['runtime/rpc.ts', 'if (bucket.saved < 1) return false;', ''],
  'MOD-23': ['runtime/token/main.ts', 'nowS >= exp + expected.toleranceS', 'nowS >= exp + 600'],
  'ST-16': ['host/rtmp/session.ts', "error.code === 'E_FORMAT'", 'false'],
  'ST-17': ['host/rtmp/session.ts', "if (code !== 'NetConnection.Connect.InvalidApp') return", 'return'],
  'ST-55': ['host/rtmp/connect-command.ts', 'CapsEx.Reconnect) !== 0', 'CapsEx.Reconnect) >= 0'],
  'ST-69': ['host/apps/incarnation.ts', 'this.#tellWarnings();', ''],
  'ST-32': ['host/rtmp/session.ts', 'NetConnection.Connect.IdleTimeout', 'NetConnection.Connect.Closed'],
  'ST-67': ['host/scripts/script.ts', 'this.#listener.onLowMemory(heapBytes);', ''],
  'ENC-02': ['host/rtmp/session.ts', "  FCPublish: 'NetStream.Publish.Start',\n", ''],
  'ENC-07': ['host/rtmp/session.ts', "if (name === 'checkBandwidth') this.checkBandwidth();", ''],
};

/** Where the members of a class are that has a part of the runtime to itself. */
const CLASSES = {
  File: ['runtime/file/file.ts'],
  LoadVars: ['runtime/data/load-vars.ts'],
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
