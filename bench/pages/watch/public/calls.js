/** What `bench/pages` asks of this page about calls: to make some, or to send their bytes to who returns them. */
import { NetConnection } from '/client.js';

/** The clock of a page has steps of 0.1 ms: so many calls in a row are one sample. */
const IN_A_ROW = 10;
const MOST_IN_FRAME = 128;
const argument = { x: 17, y: 4.5, name: 'rook' };

/** `call()` resolves when the answer is there. */
async function openClient() {
  const connection = new NetConnection();
  await connection.connect('/calls/bench');
  const answer = await connection.invoke('move', argument);
  if (answer.x !== 18 || answer.y !== 5.5) throw new Error(`move answered ${JSON.stringify(answer)}`);
  return { call: () => connection.invoke('move', argument), close: () => connection.close() };
}

/** `bytes` come back; as of the client, those of one round of the event loop are in one frame. */
async function openEcho(url, bytes) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const frame = new Uint8Array(bytes.length * MOST_IN_FRAME);
  for (let i = 0; i < MOST_IN_FRAME; i++) frame.set(bytes, i * bytes.length);
  let waiting = [];
  let unsent = 0;
  const flush = () => {
    socket.send(frame.subarray(0, unsent * bytes.length));
    unsent = 0;
  };
  socket.onmessage = ({ data }) => {
    const count = data.byteLength / bytes.length;
    const answered = waiting.slice(0, count);
    waiting = waiting.slice(count);
    for (const resolve of answered) resolve();
  };
  const call = () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (++unsent === 1) queueMicrotask(flush);
    });
  return { call, close: () => socket.close() };
}

/** Calls for so long, so many at a time; what comes in `warmUpMs` does not count. */
async function run({ url, bytes, outstanding, warmUpMs, measureMs }) {
  const target = url ? await openEcho(url, bytes) : await openClient();
  const samplesMs = [];
  let calls = 0;
  let isOver = false;
  const oneAfterTheOther = async () => {
    while (!isOver) {
      const startedAt = performance.now();
      for (let i = 0; i < IN_A_ROW; i++) await target.call();
      calls += IN_A_ROW;
      samplesMs.push((performance.now() - startedAt) / IN_A_ROW);
    }
  };
  const again = async () => {
    while (!isOver) {
      await target.call();
      calls++;
    }
  };
  const callers = Array.from({ length: outstanding }, outstanding === 1 ? oneAfterTheOther : again);
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  const before = { calls, samples: samplesMs.length, at: performance.now() };
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  const result = {
    calls: calls - before.calls,
    elapsedMs: performance.now() - before.at,
    samplesMs: samplesMs.slice(before.samples),
  };
  isOver = true;
  await Promise.all(callers);
  target.close();
  return result;
}

globalThis.calls = { run };
