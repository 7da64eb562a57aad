import type { Command } from '../../runtime/wall/commands.ts';

const MAX_COMMANDS = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;

/** What is done at once: it changes nothing that anybody else sees, or the script waits for it. */
const AT_ONCE: ReadonlySet<Command['kind']> = new Set([
  'started',
  'stopped',
  'drafted',
  'saved',
  'restored',
  'log',
  'script-error',
  'charge',
  'wake-at',
  'fetch',
  'unfetch',
  // These know by themselves who is in charge (script-shares.ts, script-streams.ts).
  'share-guard',
  'share-verdict',
  'share-save',
  'stream-send',
  'stream-set',
]);

/** What a script sends before it takes over from another: it is done when it does, or never. */
export class EarlyCommands {
  #commands: Command[] = [];
  #bytes = 0;
  /** It has sent more than is kept: it must not take over. */
  isOverflowing = false;

  /** False when it is to be done now. */
  takes(command: Command): boolean {
    if (AT_ONCE.has(command.kind)) return false;
    const own = copyOf(command);
    this.#bytes += own.bytes;
    if (this.#commands.length >= MAX_COMMANDS || this.#bytes > MAX_BYTES) this.isOverflowing = true;
    else this.#commands.push(own.command);
    return true;
  }

  takeAll(): Command[] {
    const commands = this.#commands;
    this.#commands = [];
    this.#bytes = 0;
    return commands;
  }
}

/** Byte fields are views of what the core has sent, whose memory would be kept. */
function copyOf(command: Command): { command: Command; bytes: number } {
  let bytes = 0;
  const copy = (value: unknown): unknown => {
    if (value instanceof Uint8Array) {
      bytes += value.length;
      return value.slice();
    }
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, copy(field)]));
    if (typeof value === 'string') bytes += value.length;
    return value;
  };
  return { command: copy(command) as Command, bytes };
}
