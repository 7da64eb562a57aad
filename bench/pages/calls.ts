import { encodeAmf0 } from '../../wire/amf0.ts';
import { MessageType } from '../../wire/messages.ts';
import { PACKET_HEAD_BYTES, writePacket } from '../../wire/packets.ts';
import { generateLoad } from '../calls.ts';
import { type Figure, median, medianSpread, rangeOf, spreadOf } from '../support/figures.ts';
import { startFloor } from '../support/server.ts';
import { WatchPage } from './browser.ts';
import type { PageServer } from './server.ts';

const ROUNDS = 3;
const OUTSTANDING = 128;
const WARM_UP_MS = 1000;
const MEASURE_MS = 1500;

/** Of one target in one round. */
interface Result {
  calls: number;
  elapsedMs: number;
  samplesMs: number[];
}

const FLOOR = 'bare WebSocket echo, the same page';
const PEER = "the bench's RTMP client";

/** Calls of a page, one at a time and many, beside frames that come back at once and beside the RTMP client of the bench. */
export async function measureCalls(server: PageServer): Promise<Figure[]> {
  const echo = await startFloor('web-echo.ts');
  const page = await WatchPage.open(server.http);
  try {
    const rounds = async (outstanding: number) => {
      const own: Result[] = [];
      const floor: Result[] = [];
      const peer: Result[] = [];
      const job = { outstanding, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS };
      for (let round = 0; round < ROUNDS; round++) {
        own.push((await page.ask('calls.run', job)) as Result);
        const url = `ws://127.0.0.1:${echo.port}/`;
        floor.push((await page.ask('calls.run', { ...job, url, bytes: callBytes() })) as Result);
        const isTimed = outstanding === 1;
        const rtmp = { port: server.port, app: 'calls/bench', connections: 1, pids: [], isTimed };
        peer.push(await generateLoad({ ...job, ...rtmp }));
      }
      return { own, floor, peer };
    };
    return [idle(await rounds(1)), pipelined(await rounds(OUTSTANDING))];
  } finally {
    await page.close();
    await echo.stop();
  }
}

type Rounds = Record<'own' | 'floor' | 'peer', Result[]>;

function idle({ own, floor, peer }: Rounds): Figure {
  const spread = (results: Result[]) => {
    const { p50, p95 } = medianSpread(results.map(({ samplesMs }) => spreadOf(samplesMs)));
    return { p50, ...(p95 !== undefined && { p95 }) };
  };
  const medians = own.map(({ samplesMs }) => median(samplesMs));
  return {
    name: 'one call of a page at a time',
    unit: 'ms',
    target: {},
    ...spread(own),
    floors: [{ name: FLOOR, ...spread(floor) }],
    peers: [{ name: PEER, ...spread(peer) }],
    notes: [
      `medians of ${ROUNDS} rounds of ${MEASURE_MS / 1000} s, ${rangeOf(medians, 'ms')}; of the page a sample is a tenth of ` +
        'ten calls in a row, since its clock has steps of 0.1 ms',
    ],
  };
}

function pipelined({ own, floor, peer }: Rounds): Figure {
  const rates = (results: Result[]) => results.map(({ calls, elapsedMs }) => (calls * 1000) / elapsedMs);
  return {
    name: `${OUTSTANDING} calls of a page outstanding`,
    unit: '/s',
    target: {},
    p50: median(rates(own)),
    floors: [{ name: FLOOR, p50: median(rates(floor)) }],
    peers: [{ name: PEER, p50: median(rates(peer)) }],
    notes: [
      `medians of ${ROUNDS} rounds of ${MEASURE_MS / 1000} s, ${rangeOf(rates(own), '/s')}; the calls of one round ` +
        'of the event loop are one frame, of the client as of the echo',
    ],
  };
}

/** The message of such a call. */
function callBytes(): number[] {
  const payload = encodeAmf0(['move', 2, null, { x: 17, y: 4.5, name: 'rook' }]);
  const bytes = new Uint8Array(PACKET_HEAD_BYTES + payload.length);
  writePacket(bytes, 0, { type: MessageType.CommandAmf0, streamId: 0, timestamp: 0, payload }, 0);
  return [...bytes];
}
