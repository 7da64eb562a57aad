interface Connection {
  onStatus?: (info: { code: string; description: string }) => void;
  connect(uri: string): boolean;
  call(method: string, result: object, ...args: unknown[]): boolean;
  invoke(method: string, ...args: unknown[]): Promise<unknown>;
}
declare const NetConnection: new () => Connection;
declare const Client: { prototype: object };

/** What one measurement is told, and gives. Times are milliseconds. */
export interface LinkJob {
  uri: string;
  /** Calls in flight. */
  outstanding: number;
  warmUpMs: number;
  measureMs: number;
}

export interface LinkResult {
  calls: number;
  elapsedMs: number;
  /** Round trips, of one call at a time. */
  samplesMs: number[];
}

const piece = { x: 17, y: 4.5, name: 'rook' };
/** More is not told. */
const MAX_SAMPLES = 20_000;
const connections = new Map<string, Promise<Connection>>();

function open(uri: string): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const connection = new NetConnection();
    connection.onStatus = ({ code, description }) => {
      if (code === 'NetConnection.Connect.Success') resolve(connection);
      else reject(new Error(`${code} ${description}`));
    };
    connection.connect(uri);
  });
}

function to(uri: string): Promise<Connection> {
  const known = connections.get(uri) ?? open(uri);
  connections.set(uri, known);
  return known;
}

/** Keeps calls in flight for as long as the job says. Time is that of turns: an answer begins one. */
function measure(connection: Connection, job: LinkJob): Promise<LinkResult> {
  return new Promise((resolve, reject) => {
    const beginsAt = performance.now() + job.warmUpMs;
    let firstAt = 0;
    let sentAt = 0;
    let calls = 0;
    let left = job.outstanding;
    const samplesMs: number[] = [];
    const answer = {
      onResult() {
        const now = performance.now();
        if (firstAt === 0 && now >= beginsAt) firstAt = now;
        else if (firstAt !== 0) {
          calls++;
          if (job.outstanding === 1 && samplesMs.length < MAX_SAMPLES) samplesMs.push(now - sentAt);
        }
        if (firstAt !== 0 && now - firstAt >= job.measureMs) {
          if (--left === 0) resolve({ calls, elapsedMs: now - firstAt, samplesMs });
          return;
        }
        send(now);
      },
      onStatus: (info: unknown) => reject(new Error(`move answered ${JSON.stringify(info)}`)),
    };
    const send = (now: number) => {
      sentAt = now;
      if (!connection.call('move', answer, piece)) reject(new Error('a call was not sent'));
    };
    for (let n = 0; n < job.outstanding; n++) send(performance.now());
  });
}

Object.assign(Client.prototype, {
  once: async (uri: string) => (await to(uri)).invoke('move', piece),
  measure: async (job: LinkJob) => measure(await to(job.uri), job),
});
