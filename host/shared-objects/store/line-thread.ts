import { Worker } from 'node:worker_threads';
import { StagewireError } from '../../base/errors.ts';
import type { ObjectKey, StoredObject } from './database.ts';
import type { LineAnswer, LineRequest } from './line-worker.ts';
import type { ObjectLine } from './lines.ts';

interface Asked {
  resolve(result: string | ObjectLine): void;
  reject(error: Error): void;
}

/**
 * Writes and reads lines of JSON in a thread of its own: what clients have put into one object can keep it busy for a
 * second and more.
 */
export class LineThread {
  readonly #worker = new Worker(new URL('./line-worker.ts', import.meta.url));
  /** Answered in order. */
  #asked: Asked[] = [];

  constructor() {
    this.#worker.on('message', (answer: LineAnswer) => {
      const asked = this.#asked.shift();
      if ('result' in answer) asked?.resolve(answer.result);
      else asked?.reject(new StagewireError('E_IMPORT', 'host', answer.message));
    });
    this.#worker.on('error', (error) => this.#end(error));
    this.#worker.on('exit', () => this.#end(new Error('its thread is gone')));
  }

  write(key: ObjectKey, object: StoredObject): Promise<string> {
    return this.#ask({ key, object }) as Promise<string>;
  }

  /** Rejects with `E_IMPORT` and what is wrong. */
  read(text: string): Promise<ObjectLine> {
    return this.#ask({ text }) as Promise<ObjectLine>;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #ask(request: LineRequest): Promise<string | ObjectLine> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  #end(error: unknown): void {
    const asked = this.#asked;
    this.#asked = [];
    for (const { reject } of asked) reject(error as Error);
  }
}
