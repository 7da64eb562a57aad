import type { Delivery } from '../../runtime/wall/deliveries.ts';
import { readCommandHead } from '../../wire/commands.ts';
import { printable } from '../base/errors.ts';
import type { Limits } from '../base/limits.ts';
import { END_SENTENCES, type EndReason } from '../scripts/ends.ts';
import type { ScriptEnd } from '../scripts/script.ts';

const STARVED = ', though it had a processor for less than half of them: the machine is busy';

/** What the author of a script that had to be stopped can do. */
export const ADVICE: Readonly<Partial<Record<EndReason, string>>> = {
  cpu: 'Raise limits.handlerMs in app.json, or divide the work among timers.',
  memory: 'Raise limits.heapMb in app.json, or keep less.',
  stuck: 'One operation cannot be interrupted, such as on a huge BigInt, string or array: bound its size.',
  crash: 'One operation made the process abort, such as on a huge string or array: bound its size.',
  mailbox: 'Handle what comes faster, or raise limits.mailboxRecords and limits.mailboxBytes in app.json.',
};

/** What has ended a script, in a line. */
export function describeEnd(end: ScriptEnd, { handlerMs, heapMb }: Limits): string {
  const { reason, culprit, message, isGuilty } = end;
  const what = culprit ? nameOfHandler(culprit) : 'the script';
  if (!isGuilty && reason === 'crash') return `lost its core, without fault of its own (${message})`;
  switch (reason) {
    case 'cpu':
      return `${what} ran for ${handlerMs} ms and was stopped${end.isStarved ? STARVED : ''}`;
    case 'memory':
      if (message.startsWith('its core'))
        return `${what} needed too much memory outside of its heap: ${message}`;
      return `${what} needed more than ${heapMb} MB and was stopped`;
    case 'stuck':
      return `${what} was stopped with its core: ${message}`;
    case 'mailbox':
      return `the script was stopped: ${message}, and that is too many`;
    default:
      return `its script is gone, ${END_SENTENCES[reason]}: ${message}`;
  }
}

/** The handler that a delivery runs, as its author knows it. */
export function nameOfHandler(delivery: Delivery): string {
  switch (delivery.kind) {
    case 'call': {
      const { type, body } = delivery.command;
      return printable(readCommandHead({ type, streamId: 0, timestamp: 0, payload: body }).name, 80);
    }
    case 'authorize':
      return delivery.action === 'publish' ? 'application.authorizePublish' : 'application.authorizePlay';
    default:
      return HANDLERS[delivery.kind];
  }
}

const HANDLERS: Record<Exclude<Delivery['kind'], 'call' | 'authorize'>, string> = {
  start: 'application.onAppStart',
  stop: 'application.onAppStop',
  draft: 'what hands state over',
  undraft: 'what hands state over',
  'link-status': 'onStatus of a NetConnection',
  'push-status': 'onStatus of a NetStream',
  save: 'application.onSave',
  restore: 'application.onRestore',
  connect: 'application.onConnect',
  reattach: 'application.onReattach',
  disconnect: 'application.onDisconnect',
  publish: 'application.onPublish',
  unpublish: 'application.onUnpublish',
  status: 'application.onStatus',
  'low-memory': 'application.onStatus',
  wake: 'a timer',
  'shared-state': 'a shared object',
  'shared-sync': 'onSync of a shared object',
  'shared-send': 'a handler of a shared object',
  'shared-status': 'onStatus of a shared object',
  'shared-saved': 'what follows saving a shared object',
  'shared-unlock': 'a shared object',
  'shared-guard': 'authorize of a shared object',
  'stream-status': 'onStatus of a stream',
  'stream-data': 'a handler of a stream',
  reply: 'the handler of an answer',
  unanswered: 'the handler of an answer',
  fetched: 'what follows a fetch',
  unfetched: 'what follows a fetch',
};
