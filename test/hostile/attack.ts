import { eventually } from '../support/journal.ts';
import type { Info, RtmpClient } from '../support/rtmp-client.ts';
import { RtmpClient as Rtmp } from '../support/rtmp-client.ts';
import type { AppFiles, LogRecord } from '../support/server.ts';
import type { End, HostileScript } from './catalogue.ts';
import { Feed, farewell, type HostileServer, join, Neighbour, type Stage } from './stage.ts';

/** What happened when a script was set off. */
export interface Outcome {
  readonly name: string;
  /** The ends that its instance saw, in order; `none` when it lived on. */
  readonly ends: readonly End[];
  /** It died so often that the instance was closed. */
  readonly isClosed: boolean;
  readonly tookMs: number;
  /** The longest that a viewer of the hostile instance itself waited for a message. */
  readonly longestPauseMs: number;
  /** The longest that an instance in the same core, if there was one, gave no answer. */
  readonly roommateGapMs: number;
}

const END_OF_CODE: Readonly<Record<string, End>> = {
  E_HANDLER_TIMEOUT: 'cpu',
  E_OUT_OF_MEMORY: 'memory',
  E_STUCK: 'stuck',
  E_CORE_GONE: 'crash',
  E_MAILBOX_FULL: 'mailbox',
};

/** Tells one heap of the script from the next. Comes after the script's own code. */
const EPILOGUE = '\n;{ const life = crypto.randomUUID(); Client.prototype.alive = () => life; }\n';

/** The scripts as applications. */
export function appsOf(scripts: readonly HostileScript[]): Record<string, AppFiles> {
  return Object.fromEntries(
    scripts.map((script) => [appOf(script), { [script.main]: script.source + EPILOGUE }]),
  );
}

/** Sets a script off and sees it through. Throws unless it ends as its header says and nobody else notices. */
export async function runScript(script: HostileScript, stage: Stage): Promise<Outcome> {
  const { log } = stage.server;
  const startedAt = performance.now();
  const from = log.mark;
  const lifeBefore = await stage.neighbour.life();
  const run = new Run(script, stage.server, from);
  try {
    if (script.attack === 'top-level') await run.topLevel();
    else await run.attack();
    await stage.verify();
    const { ends, isClosed, longestPauseMs, roommateGapMs } = run;
    if (ends.every((end) => end === 'none' || end === 'cpu' || end === 'refused')) {
      const life = await stage.neighbour.life();
      if (life !== lifeBefore) throw new Error(`${script.name}: the neighbour has lost its state`);
    }
    const tookMs = performance.now() - startedAt;
    return { name: script.name, ends, isClosed, longestPauseMs, roommateGapMs, tookMs };
  } catch (error) {
    const lines = log.entries.slice(from).map((record) => `  ${JSON.stringify(record).slice(0, 300)}`);
    throw new Error(`${(error as Error).message}; the log meanwhile:\n${lines.slice(-20).join('\n')}`);
  } finally {
    run.close();
  }
}

function appOf(script: HostileScript): string {
  return `hostile-${script.name}`;
}

class Run {
  readonly #script: HostileScript;
  readonly #server: HostileServer;
  readonly #instance: string;
  readonly #url: string;
  readonly #from: number;
  readonly #clients: RtmpClient[] = [];
  #feed: Feed | undefined;
  #roommate: Neighbour | undefined;
  #isRefused = false;

  constructor(script: HostileScript, server: HostileServer, from: number) {
    this.#script = script;
    this.#server = server;
    this.#instance = `${appOf(script)}/room`;
    this.#url = `${server.rtmp}/${this.#instance}`;
    this.#from = from;
  }

  get longestPauseMs(): number {
    return this.#feed?.longestPauseMs ?? 0;
  }

  get roommateGapMs(): number {
    return this.#roommate?.longestGapMs ?? 0;
  }

  get isClosed(): boolean {
    return this.#records().some(({ code }) => code === 'E_APP_CLOSED');
  }

  get ends(): End[] {
    const ends = this.#records().flatMap(({ code }) => endOf(code) ?? []);
    if (this.#isRefused) ends.push('refused');
    return ends.length > 0 ? ends : ['none'];
  }

  /** A script that misbehaves before anybody is connected. */
  async topLevel(): Promise<void> {
    const client = await this.#dial('attack');
    const answer = await client.startConnect().catch(() => undefined);
    this.#isRefused = answer?.name !== '_result';
    if (this.#isRefused) {
      const info = answer?.args[0] as Info | undefined;
      if (!info?.description) throw new Error(`${this.#instance}: refused without a reason`);
    } else {
      await client.call('alive');
      await this.#check(client);
    }
    this.#expectEnds();
  }

  async attack(): Promise<void> {
    const feed = await Feed.open(this.#url, 1);
    this.#feed = feed;
    const witness = feed.publisher;
    const lifeBefore = await witness.call('alive');
    // Comes later than the script, and so into the same core as long as that has room.
    const roommate = await Neighbour.open(`${this.#server.rtmp}/neighbour/${this.#script.name}`);
    this.#roommate = roommate;

    await this.#setOff();
    if (!this.#script.ends.includes('none')) {
      await this.#server.log.waitFor(
        `an end (${this.#script.ends.join(', ')}) of ${this.#instance}`,
        (record) => this.#isEnd(record),
        this.#from,
      );
    }
    const lifeAfter = await this.#nextLife(witness, lifeBefore);
    // The log comes after its own time where a script has filled it.
    if (lifeAfter !== lifeBefore)
      await eventually(
        `a line that says why ${this.#instance} began anew`,
        () => !this.ends.includes('none') || this.#hasMoved,
      );
    this.#expectEnds();
    if (!this.isClosed && !this.#script.isFlood) await feed.verify();
    await roommate.verify();
  }

  close(): void {
    this.#feed?.close();
    this.#roommate?.close();
    for (const client of this.#clients) client.destroy();
  }

  /** Resolves when whoever attacks has heard an answer, or has lost the connection. */
  async #setOff(): Promise<void> {
    const { attack } = this.#script;
    const attacker = await this.#dial('attack');
    const answer = attacker.startConnect();
    if (attack === 'connect') return void (await answer.catch(() => {}));

    const { name, args } = await answer;
    if (name !== '_result')
      throw new Error(`${this.#instance}: refused the attacker ${JSON.stringify(args[0])}`);
    switch (attack) {
      case 'call':
      case 'timer':
        return void (await attacker.startCall('attack').catch(() => {}));
      case 'publish': {
        const stream = await attacker.createStream();
        return void (await stream.publish('attack').catch(() => {}));
      }
      case 'disconnect':
        return attacker.close();
    }
  }

  /** Asks until a script answers; through a new client when the instance was closed. */
  async #nextLife(witness: RtmpClient, lifeBefore: unknown): Promise<unknown> {
    let client = witness;
    let life: unknown;
    await eventually(`${this.#instance} to answer again`, async () => {
      if (client.isClosed) {
        if (!this.isClosed && !this.#script.isFlood)
          throw new Error(`${this.#instance}: its client was closed: ${farewell(client)}`);
        client = await join(this.#url, { args: ['stage'] });
        this.#clients.push(client);
      }
      life = await client.call('alive').catch(() => undefined);
      return life !== undefined;
    });
    // What the script knows of the attack dies with it.
    if (life === lifeBefore) await this.#check(client);
    return life;
  }

  /** Waits until the script says that it has failed; throws with what it says otherwise. */
  async #check(client: RtmpClient): Promise<void> {
    const { check } = this.#script;
    if (check === undefined) return;
    let said: unknown;
    await eventually(`${check} of ${this.#instance}`, async () => {
      said = await client.call(check).catch((error: Error) => error.message);
      return said === true || !this.ends.includes('none');
    }).catch((error: Error) => {
      throw new Error(`${error.message}: it said ${JSON.stringify(said)}`);
    });
  }

  #expectEnds(): void {
    const wrong = this.ends.filter((end) => !this.#script.ends.includes(end));
    if (wrong.length === 0) return;
    const lines = this.#records().map(({ code, message }) => `${code ?? ''} ${message}`.slice(0, 300));
    const expected = this.#script.ends.join(', ');
    throw new Error(
      `${this.#instance}: ended with ${wrong.join(', ')}, not ${expected}\n${lines.join('\n')}`,
    );
  }

  async #dial(role: string): Promise<RtmpClient> {
    const methods = { echo: (value: unknown) => value, never: () => new Promise(() => {}) };
    const client = await Rtmp.dial(this.#url, { args: [role], methods });
    this.#clients.push(client);
    return client;
  }

  /** The one before it in its core could not be stopped. */
  get #hasMoved(): boolean {
    return this.#records().some(({ message }) => message.startsWith('moved to another core'));
  }

  #isEnd(record: LogRecord): boolean {
    return record.instance === this.#instance && endOf(record.code) !== undefined;
  }

  #records(): LogRecord[] {
    return this.#server.log.entries.slice(this.#from).filter(({ instance }) => instance === this.#instance);
  }
}

function endOf(code: string | undefined): End | undefined {
  return code === undefined ? undefined : END_OF_CODE[code];
}
