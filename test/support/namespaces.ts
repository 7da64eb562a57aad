import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';

let made = 0;

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
}

/** Why this machine gives nobody a network of his own; undefined when it does. */
export function whyNoNamespaces(): string | undefined {
  const name = `sw-try-${process.pid}`;
  try {
    ip('netns', 'add', name);
    ip('netns', 'del', name);
    return undefined;
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    return (stderr || message).trim().split('\n')[0];
  }
}

/** A network namespace: a machine of its own, as far as its network goes. It goes when the test ends. */
export class Namespace {
  readonly name: string;
  /** Where the test reaches it, whatever becomes of the links between namespaces. */
  readonly address: string;
  readonly #number: number;

  constructor() {
    this.#number = ++made;
    this.name = `sw-${process.pid}-${this.#number}`;
    const net = `10.231.${this.#number}`;
    this.address = `${net}.2`;
    const [near, far] = [
      `swn${process.pid % 10_000}-${this.#number}`,
      `swf${process.pid % 10_000}-${this.#number}`,
    ];
    ip('netns', 'add', this.name);
    onTestFinished(() => ip('netns', 'del', this.name));
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', this.name);
    ip('addr', 'add', `${net}.1/30`, 'dev', near);
    ip('link', 'set', near, 'up');
    this.#run('ip', 'addr', 'add', `${this.address}/30`, 'dev', far);
    this.#run('ip', 'link', 'set', far, 'up');
    this.#run('ip', 'link', 'set', 'lo', 'up');
  }

  /** A cable to another one. */
  connect(other: Namespace): Cable {
    const name = `swl${process.pid % 10_000}-${this.#number}`;
    const net = `10.232.${this.#number}`;
    const peer = `${name}p`;
    ip('link', 'add', name, 'netns', this.name, 'type', 'veth', 'peer', 'name', peer, 'netns', other.name);
    this.#run('ip', 'addr', 'add', `${net}.1/30`, 'dev', name);
    other.#run('ip', 'addr', 'add', `${net}.2/30`, 'dev', peer);
    other.#run('ip', 'link', 'set', peer, 'up');
    const set = (state: 'up' | 'down') => this.#run('ip', 'link', 'set', name, state);
    set('up');
    return { address: `${net}.1`, otherAddress: `${net}.2`, up: () => set('up'), down: () => set('down') };
  }

  #run(...command: string[]): void {
    ip('netns', 'exec', this.name, ...command);
  }
}

/** Between two namespaces; `address` is the first one's. */
export interface Cable {
  readonly address: string;
  readonly otherAddress: string;
  up(): void;
  down(): void;
}
