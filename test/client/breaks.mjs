// How to break what the rows of the client are about, for `npm run api-coverage -- --spot`: as in test/api/breaks.mjs.

const connection = 'client/net-connection.ts';
const stream = 'client/net-stream.ts';
const object = 'client/shared-object.ts';
const events = 'client/events.ts';
const player = 'client/media/mse-player.ts';

const noArguments = [stream, 'this.run(name, args)', 'this.run(name, [])'];
const noTarget = [events, 'found.apply(target, args)', 'found.apply(undefined, args)'];
const noAsyncError = [events, 'this.dispatchEvent(new AsyncErrorEvent(error))', 'false'];
const otherEncoding = [events, 'objectEncoding = 3', 'objectEncoding = 0'];

export const CLIENT_BREAKS = {
  'CNC-01': [connection, ', object, ...this.#args)', ', object)'],
  'CNC-02': [connection, "    this.#lost('The connection was closed.');\n", ''],
  'CNC-03': [connection, 'call?.done(info)', 'call?.done(undefined)'],
  'CNC-05': noTarget,
  'CNC-06': [connection, 'return this.#isConnected;', 'return this.#link !== undefined;'],
  'CNC-08': otherEncoding,
  'CNC-10': [connection, 'return this.#uri;', "return this.#uri.split('?')[0];"],
  'CNC-11': [connection, "return this.#uri.split(':')[0]!;", "return 'wss';"],
  'CNC-12': [connection, "return this.protocol === 'wss';", 'return false;'],
  'CNC-17': [events, '    this.dispatchEvent(new NetStatusEvent(info));\n', ''],
  'CNC-18': noAsyncError,
  'CNC-19': ['client/link.ts', 'this.#end(reason || ', "this.#end('lost' || "],
  'RSP-01': [connection, 'responder?.onStatus?.(info)', 'info'],
  'CNS-01': [stream, 'this.#connection.listen(id, ', 'this.#connection.listen(1, '],
  'CNS-02': [stream, 'length < 0 ? -1 : length * 1000', '-1'],
  'CNS-03': [stream, "this.#command('play2', ", "this.#command('play3', "],
  'CNS-04': [stream, "    if (name !== false) this.#want('publish', name, type);\n", ''],
  'CNS-05': [stream, 'isPaused, this.sink?.played ?? this.#resumeMs)', 'isPaused)'],
  'CNS-06': [stream, '    this.#pause(false);\n', ''],
  'CNS-07': [stream, 'this.#pause(!this.#isPaused);', 'this.#pause(true);'],
  'CNS-08': [stream, 'this.#resumeMs = seconds * 1000;', 'this.#resumeMs = seconds;'],
  'CNS-10': [stream, "    void this.#connection.call('deleteStream', null, id);\n", ''],
  'CNS-13': [stream, "this.#set('receiveAudio', isWanted);", "this.#set('receiveAudio', true);"],
  'CNS-14': [stream, "this.#set('receiveVideo', isWanted);", "this.#set('receiveVideo', true);"],
  'CNS-15': [stream, "    this.#set('receiveVideoFPS', fps);\n", ''],
  'CNS-16': [stream, 'encodeData(handler, ...args)', 'encodeData(handler)'],
  'CNS-17': ['client/media/publisher.ts', 'getAudioTracks()', 'getVideoTracks()'],
  'CNS-18': ['client/media/publisher.ts', 'getVideoTracks()', 'getAudioTracks()'],
  'CNS-20': [stream, 'if (this.#id !== 0) this.#control(SET_BUFFER_LENGTH,', 'if (false) this.#control(0,'],
  'CNS-21': [stream, '    this.bufferTime = this.#bufferTime;\n', ''],
  'CNS-22': [stream, ' ?? receivedTime)) | 0)', ' ?? receivedTime)))'],
  'CNS-23': [stream, 'this.sink?.played ?? this.#publishTime', 'this.sink?.played ?? 0'],
  'CNS-26': ['client/media/frame-rate.ts', 'shown - this.#frames', 'shown'],
  'CNS-27': [player, '(this.#endS - this.#element.currentTime) * 1000 : 0', '1 : 0'],
  'CNS-28': [stream, '      stats.messagesIn++;\n', ''],
  'CNS-29': noTarget,
  'CNS-34': [stream, "name === 'onMetaData' ? this.onMetaData : undefined", 'undefined'],
  'CNS-35': noArguments,
  'CNS-36': noArguments,
  'CNS-37': noArguments,
  'CNS-39': noArguments,
  'CNS-41': noArguments,
  'CNS-42': [events, 'this.onStatus ? this : this.#heir', 'this'],
  'CSO-01': [object, 'objects.get(key) ?? new', 'new'],
  'CSO-02': [object, '[{ type: Type.Use }]', '[]'],
  'CSO-03': [object, '    this.#put(name, value);\n', ''],
  'CSO-04': [object, '    this.setProperty(name, this.data[name]);\n', ''],
  'CSO-05': [object, 'values: [handler, ...args]', 'values: [handler]'],
  'CSO-07': [object, 'this.setProperty(name as keyof T & string, null)', 'void name'],
  'CSO-08': [object, 'if (!this.#connection.dismiss(this)) return;', 'if (true) return;'],
  'CSO-09': [object, 'if (this.fps > 0) setTimeout(', 'if (false) setTimeout('],
  'CSO-10': [object, '= Object.create(null)', '= {}'],
  'CSO-11': noTarget,
  'CSO-13': [object, '  fps = 0;', '  fps = 30;'],
  'CSO-14': otherEncoding,
  'CSO-15': [object, "changes.push({ code: 'success'", "changes.push({ code: 'change'"],
  'CSO-16': [object, '        this.report(info);\n', ''],
  'CSO-17': noAsyncError,
  'ST-03': [connection, 'NetConnection.Connect.Failed', 'NetConnection.Connect.Rejected'],
  'ST-48': [player, 'NetStream.Buffer.Empty', 'NetStream.Buffer.Full'],
  'ST-49': [player, 'NetStream.Buffer.Full', 'NetStream.Buffer.Empty'],
  'ST-50': ['client/media/attach.ts', 'NetStream.Buffer.Flush', 'NetStream.Buffer.Full'],
};
