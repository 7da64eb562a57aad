import type { Command } from '../../runtime/wall/commands.ts';
import type { Delivery } from '../../runtime/wall/deliveries.ts';
import { PushChange } from '../../runtime/wall/links.ts';
import { status } from '../../wire/status.ts';
import { parseStreamName } from '../../wire/stream-name.ts';
import { StagewireError } from '../base/errors.ts';
import type { LinkPlace } from '../links/link.ts';
import type { RemoteStatus } from '../links/remote-stream.ts';
import type { StreamDirectory } from '../streams/directory.ts';
import { Push, type PushOwner } from '../streams/push/push.ts';

export type PushCommand = Extract<Command, { kind: `push-${string}` }>;

/** What of a script its pushed streams need. */
export interface PushingScript {
  readonly mailbox: { readonly isFull: boolean };
  post(delivery: Delivery): void;
}

export interface ScriptPushesOptions {
  readonly streams: StreamDirectory;
  readonly script: () => PushingScript;
  /** The connection of the script with that number. */
  readonly placeOf: (link: number) => LinkPlace | undefined;
  readonly limits: { readonly outgoingStreams: number; readonly outgoingConnectMs: number };
}

/** What one script publishes at other instances (class NetStream on the server). It outlives the script, as long as the streams do. */
export class ScriptPushes {
  readonly #options: ScriptPushesOptions;
  readonly #pushes = new Map<number, Push>();

  constructor(options: ScriptPushesOptions) {
    this.#options = options;
  }

  obey(command: PushCommand): void {
    const push = this.#pushes.get(command.push);
    switch (command.kind) {
      case 'push-start':
        return this.#start(command);
      case 'push-set':
        push?.attach(localName(command.stream));
        push?.setBuffer(command.bufferMs);
        return;
      case 'push-send':
        return push?.sendData(command.values.slice());
      case 'push-stop':
        return push?.stop();
    }
  }

  /** The script is over. */
  close(): void {
    const pushes = [...this.#pushes.values()];
    this.#pushes.clear();
    for (const push of pushes) push.abandon();
  }

  #start({
    push: number,
    link,
    stream,
    bufferMs,
    name,
    mode,
  }: Extract<PushCommand, { kind: 'push-start' }>): void {
    const { streams, placeOf, limits } = this.#options;
    const { outgoingStreams, outgoingConnectMs: patienceMs } = limits;
    const owner = this.#owner(number);
    const place = placeOf(link);
    if (!place) return owner.over(status('NetStream.Failed', 'The NetConnection is not connected.'));
    const request = { place, name, mode, patienceMs };
    const source = localName(stream);
    for (const push of streams.pushes) {
      if (!push.takeOver(request, source, bufferMs, owner)) continue;
      this.#pushes.set(number, push);
      return;
    }
    if (streams.pushes.size >= outgoingStreams) {
      const why = `${outgoingStreams} streams are published elsewhere, and that is the limit (limits.outgoingStreams).`;
      return owner.over(status('NetStream.Failed', why));
    }
    const push = new Push(streams, request, source, bufferMs, owner);
    this.#pushes.set(number, push);
    push.start();
  }

  #owner(push: number): PushOwner {
    const tell = (change: number, { level, code, description }: RemoteStatus) => {
      const script = this.#options.script();
      // The other side may say as much as it likes.
      if (change === PushChange.None && script.mailbox.isFull) return;
      script.post({ kind: 'push-status', push, change, level, code, description });
    };
    return {
      began: (said) => tell(PushChange.Began, said),
      status: (said) => tell(PushChange.None, said),
      over: (said) => {
        this.#pushes.delete(push);
        tell(PushChange.Over, said);
      },
    };
  }
}

/** Of a stream of this instance; empty for none, and for what is no name. */
function localName(text: string): string {
  if (text === '') return '';
  try {
    return parseStreamName(text).name;
  } catch (error) {
    if (error instanceof StagewireError) return '';
    throw error;
  }
}
