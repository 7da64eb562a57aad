import { AppBuilder } from '../host/apps/builder.ts';
import { systemClock } from '../host/base/clock.ts';
import { defaultLimits } from '../host/base/limits.ts';
import { createLog } from '../host/base/log.ts';
import { bundleCore, bundleRuntime } from '../host/scripts/bundles.ts';
import { CorePool } from '../host/scripts/core-pool.ts';
import { CpuThrottle } from '../host/scripts/cpu-throttle.ts';
import { Leash } from '../host/scripts/leash.ts';
import { makeSandbox } from '../host/scripts/sandbox.ts';
import { Script } from '../host/scripts/script.ts';
import { decodeArguments, encodeValues } from '../runtime/amf.ts';
import type { CommandBody } from '../runtime/wall/fields.ts';
import { encodeAmf0 } from '../wire/amf0.ts';
import { MessageType } from '../wire/messages.ts';
import { type Order, order, settle } from './apps/calls/wall.ts';
import { type Figure, median, type Report, rangeOf } from './support/figures.ts';
import { copyApps } from './support/server.ts';

const ROUNDS = 5;
const ROUND_MS = 600;
/** Batch size, and what a call through the wall may cost of what it costs in the host. */
const BATCHES = [
  { size: 1 },
  { size: 10 },
  { size: 100, perSecond: 200_000, ratio: 6 },
  { size: 1000, perSecond: 500_000, ratio: 2.5 },
] as const;

const command: CommandBody = {
  type: MessageType.CommandAmf0,
  body: encodeAmf0(['settle', 2, null, order]),
};

/** What a call costs between the host's mailbox and the handler in its isolate, without sockets, by batch size. */
export async function benchWall(): Promise<Report> {
  const wall = await openWall();
  try {
    const figures: Figure[] = [];
    for (const { size, ...asked } of BATCHES) {
      const through: number[] = [];
      const inHost: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const [a, b] = [await rateOf(() => wall.batch(size)), await rateOf(() => callInHost(size))];
        if (round === 0) continue; // warming up
        through.push(a * size);
        inHost.push(b * size);
      }
      const perSecond = 'perSecond' in asked ? asked.perSecond : 0;
      figures.push({
        name: `calls in batches of ${size.toLocaleString('en-US')}`,
        unit: '/s',
        target: perSecond > 0 ? { p50: perSecond } : {},
        p50: median(through),
        floors: [{ name: 'the same handler and codec in the host', p50: median(inHost) }],
        notes: [
          `${(1e6 / median(through)).toFixed(2)} us a call, in the host ${(1e6 / median(inHost)).toFixed(2)} us; ` +
            `from round to round: ${rangeOf(through, '/s')}` +
            ('ratio' in asked ? `; at most ${asked.ratio} x asked` : ''),
        ],
      });
    }
    const sizes = `${encodeValues([order]).length} bytes in, ${encodeValues([settle({ ...order })]).length} out`;
    figures[0]?.notes.push(`the handler: ${sizes}, decoded and encoded where it runs`);
    return { name: 'wall', figures };
  } finally {
    wall.close();
  }
}

/** As a seat does it, but for the sandbox. */
function callInHost(size: number): Promise<void> {
  for (let call = 0; call < size; call++) {
    const { args } = decodeArguments(command);
    encodeValues([settle(args[0] as Order)]);
  }
  return Promise.resolve();
}

/** Batches a second. */
async function rateOf(batch: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  let batches = 0;
  for (; performance.now() - startedAt < ROUND_MS; batches++) await batch();
  return (batches * 1000) / (performance.now() - startedAt);
}

async function openWall(): Promise<{ batch(size: number): Promise<void>; close(): void }> {
  const log = createLog({ format: 'json', level: 'warn' });
  const limits = { ...defaultLimits, spareCores: 0 };
  const sandbox = makeSandbox('permission', await bundleCore());
  const pool = new CorePool({ runtime: await bundleRuntime(), sandbox, limits, log });
  await pool.warmUp();
  const builder = new AppBuilder(`${copyApps()}/calls`, { app: 'calls' });
  const build = await builder.build();
  let waiting = 0;
  let done = () => {};
  const script = new Script(
    {
      code: build.code,
      filename: build.filename,
      memoryMb: limits.heapMb,
      handlerMs: limits.handlerMs,
      bootMs: limits.startMs,
      maxOutputBytes: 8 * 1024 * 1024,
      mailbox: { records: limits.mailboxRecords, bytes: limits.mailboxBytes },
      options: {
        name: 'calls/wall',
        server: '',
        hostname: '',
        config: {},
        bandwidthCap: 0,
        amfDepth: limits.amfDepth,
        amfValues: limits.amfValues,
        maxTimers: 0,
        maxOutstandingInvokes: 0,
        maxFetches: 0,
        maxFetchBytes: 0,
        maxArgumentBytes: 65_536,
        mostPrintedBytes: 65_536,
        yieldAfterMs: 50,
      },
    },
    systemClock,
    new CpuThrottle(() => 100),
    new Leash(() => limits, log, systemClock),
    {
      onCommand: ({ kind }) => {
        if (kind === 'error' || kind === 'missing') throw new Error(`settle answered ${kind}`);
        if (kind === 'result' && --waiting === 0) done();
      },
      onTurnEnd: () => {},
      onError: (message) => {
        throw new Error(message);
      },
      onDispose: () => {},
      onLowMemory: () => {},
      onState: () => {},
      onMove: () => Promise.resolve(),
      onAsk: () => Promise.reject(new Error('the handler asks for nothing')),
      onEnd: ({ message }) => {
        throw new Error(message);
      },
    },
  );
  await script.boot(pool, 'calls', 'shared');
  const text = '';
  const info = {
    ...{ id: 'bench', ip: text, agent: text, referrer: text, pageUrl: text, uri: text },
    protocol: 'rtmp',
    secure: false,
    canReconnect: false,
    access: { readAccess: '/', writeAccess: '/', audioSampleAccess: '', videoSampleAccess: '' },
    bandwidth: { toClient: 0, toServer: 0 },
  };
  script.post({ kind: 'connect', client: 1, info, command });
  script.release();
  return {
    batch: (size) =>
      new Promise((resolve) => {
        done = resolve;
        waiting = size;
        for (let call = 1; call <= size; call++) script.post({ kind: 'call', client: 1, call, command });
      }),
    close: () => {
      script.dispose();
      pool.close();
      void builder.dispose();
    },
  };
}
