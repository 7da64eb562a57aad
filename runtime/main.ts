import { ByteReader } from '../wire/bytes.ts';
import { decodeArgument, decodeArguments, encodeValues, setAmfLimits } from './amf.ts';
import { ApplicationSide } from './application.ts';
import { startAsking } from './ask.ts';
import { installAttributes } from './attributes.ts';
import { dispatchCall, dispatchLinkCall } from './calls.ts';
import { Client, installClient } from './client.ts';
import { hide, installClock, setTime } from './clock.ts';
import { installConsole } from './console.ts';
import { installData } from './data.ts';
import { reseed } from './entropy.ts';
import {
  lastMark,
  markTime,
  reportError,
  sendCharges,
  setClient,
  startAccounts,
  startEvents,
} from './events.ts';
import { Fetches } from './fetch.ts';
import { installFile } from './file.ts';
import { Handover } from './handover.ts';
import { callFailed, Invocations, startInvocations } from './invocations.ts';
import { Loads } from './load.ts';
import { installNet, linkOf, receiveLink, receivePush } from './net.ts';
import { installNotOffered } from './not-offered.ts';
import { Outbox } from './outbox.ts';
import { startParts } from './parts.ts';
import { apply, Bytes, hasOwn, lengthOf, NativeTypeError, setBytes, shown } from './primordials.ts';
import { installPromise, runSoon, settleRejected, takeTouched } from './promise.ts';
import { reserveMethods } from './reserved.ts';
import { installRpc } from './rpc.ts';
import { installShare, receiveShared } from './share.ts';
import { installErrors } from './stacks.ts';
import { installStream, receiveStream, Stream } from './stream.ts';
import { installTemporal } from './temporal.ts';
import { Timers } from './timers.ts';
import { installToken } from './token.ts';
import { type Boot, type BootOptions, HEADER_BYTES, Header, SEED_OFFSET } from './wall/boot.ts';
import { type Delivery, decodeDelivery } from './wall/deliveries.ts';
import { LINK } from './wall/links.ts';
import { installWeb } from './web.ts';

/** Installs the globals and removes what scripts must not have. Nothing of what it is given is reachable afterwards. */
export const boot: Boot = (input, output, asks, notify, optionsJson) => {
  const options = JSON.parse(optionsJson) as BootOptions;
  startAccounts(Date.now);
  const header = new Int32Array(input, 0, HEADER_BYTES / 4);
  const seed = new Uint8Array(input, SEED_OFFSET);
  let records = new Uint8Array(0);
  const outbox = new Outbox(header, output, options.mostPrintedBytes, options.maxArgumentBytes);

  startEvents(outbox);
  startAsking(asks, notify);
  setAmfLimits(options.amfDepth, options.amfValues);
  const app: ApplicationSide = new ApplicationSide(outbox, options, () => {
    handover.begin();
    timers.begin();
  });
  const handover: Handover = new Handover(app.application, app, outbox, header);
  const invocations = new Invocations(outbox, options.maxOutstandingInvokes);
  const timers = new Timers(outbox, options.maxTimers);
  const fetches = new Fetches(outbox, options.maxFetches, options.maxFetchBytes);
  const loads = new Loads(options.canLoad === true);
  startInvocations(invocations);
  loads.install(globalThis);
  handover.install(globalThis, options.isClassic === true);
  startParts(timers, fetches, handover, options.isClassic === true);
  installGlobals(globalThis, app, timers, fetches, outbox, header);

  const handle = (delivery: Delivery, mustYield: () => boolean): void => {
    switch (delivery.kind) {
      case 'call': {
        if (delivery.client >= LINK) {
          const connection = linkOf(delivery.client);
          if (connection) dispatchLinkCall(outbox, connection, delivery.call, delivery.command);
          return;
        }
        const client = app.client(delivery.client);
        if (client) dispatchCall(outbox, client, delivery.call, delivery.command);
        return;
      }
      case 'reply':
        return invocations.settle(delivery.request, delivery.isOk, decodeArgument(delivery.command));
      case 'unanswered':
        return invocations.fail(delivery.request, delivery.description);
      case 'fetched':
        return fetches.settle(delivery);
      case 'unfetched':
        return fetches.fail(delivery.request, delivery.code, delivery.message);
      case 'connect':
        return app.connect(delivery.client, delivery.info, decodeArguments(delivery.command).args);
      case 'reattach': {
        const { args } = decodeArguments(delivery.command);
        return app.reattach(delivery.client, delivery.info, args, delivery.reason);
      }
      case 'disconnect': {
        const client = app.disconnect(delivery.client);
        if (client) invocations.abandon(client);
        return;
      }
      case 'publish':
        return app.publish(delivery.client, delivery.stream);
      case 'unpublish':
        return app.unpublish(delivery.client, delivery.stream);
      case 'authorize':
        return app.authorize(delivery.request, delivery.action, delivery.client, delivery.stream);
      case 'link-status':
        return receiveLink(delivery.link, delivery.change, decodeArgument(delivery.command));
      case 'push-status':
        return receivePush(delivery.push, delivery.change, delivery);
      case 'low-memory':
        return app.lowMemory(delivery.usedMb, delivery.limitMb);
      case 'status':
        return app.status(delivery.info);
      case 'shared-state':
      case 'shared-status':
      case 'shared-saved':
      case 'shared-unlock':
        return receiveShared(delivery, undefined);
      case 'shared-sync':
      case 'shared-send':
      case 'shared-guard':
        return receiveShared(delivery, app.client(delivery.client));
      case 'stream-status':
      case 'stream-data':
        return receiveStream(delivery);
      case 'wake':
        return timers.wake(mustYield);
      case 'start':
        return app.start();
      case 'stop':
        return app.stop(delivery.code);
      case 'draft':
        return handover.draft(delivery, delivery.isFirst);
      case 'undraft':
        return handover.undraft();
      case 'save': {
        const waiting = invocations.waiting + fetches.waiting;
        return handover.save(delivery, delivery.isDrafted, waiting, timers.sinceStart);
      }
      case 'restore':
        return handover.restore(delivery.from, delivery.isLast);
    }
  };

  /** Whoever waits for the outcome of a delivery hears that there is none. */
  const refuse = (delivery: Delivery): void => {
    if (delivery.kind === 'call' && delivery.call !== 0) {
      const info = encodeValues([callFailed('Script error')]);
      outbox.send({ kind: 'error', call: delivery.call, info });
    } else if (delivery.kind === 'authorize') {
      outbox.send({
        kind: 'verdict',
        request: delivery.request,
        isAllowed: false,
        description: 'script error',
      });
    } else if (delivery.kind === 'connect') {
      const info = { level: 'error', code: 'NetConnection.Connect.Rejected', description: 'Script error' };
      outbox.send({ kind: 'reject', client: delivery.client, info: encodeValues([info]) });
    } else if (delivery.kind === 'reattach') {
      outbox.send({ kind: 'attached', client: delivery.client, isKept: false });
    }
  };

  // Reading byte by byte is cheaper in memory of our own than in shared memory that may grow: copied once a turn.
  const copyOfInput = (): Uint8Array => {
    if (header[Header.finished] !== 0) return records;
    const length = header[Header.inputLength]!;
    if (lengthOf(records) < length) records = new Bytes(length * 2);
    setBytes(records, new Bytes(input, HEADER_BYTES, length), 0);
    return records;
  };

  const enter = (nowMs: number, monotonicMs: number, state?: string): void => {
    if (state !== undefined) handover.given(state);
    const enteredAt = markTime();
    let isTouched = false;
    const mustYield = () => {
      isTouched = takeTouched() || isTouched;
      return isTouched || lastMark() - enteredAt >= options.yieldAfterMs;
    };

    header[Header.again] = 0;
    setTime(nowMs, monotonicMs);
    reseed(seed);
    settleRejected();
    takeTouched();

    const reader = new ByteReader(copyOfInput(), header[Header.finished], header[Header.inputLength]);
    while (reader.remaining > 0) {
      header[Header.running] = reader.position;
      const delivery = decodeDelivery(reader);
      header[Header.finished] = reader.position;
      setClient(hasOwn(delivery, 'client') ? (delivery as { client: number }).client : 0);
      try {
        handle(delivery, mustYield);
      } catch (error) {
        // Not the handler, which has its own `try`: what the runtime does around it, over patched or hostile objects.
        reportError(error, delivery.kind);
        refuse(delivery);
      }
      if (mustYield()) break;
    }
    sendCharges();
    // A delivery that made promises runs on in their continuations: it is still the one to blame.
    if (!isTouched) header[Header.running] = -1;
    if (reader.remaining > 0) header[Header.again] = 1;
  };
  return { enter, nextLoad: () => loads.next(), takeState: () => handover.takeState() };
};

function installGlobals(
  global: typeof globalThis,
  app: ApplicationSide,
  timers: Timers,
  fetches: Fetches,
  outbox: Outbox,
  header: Int32Array,
): void {
  installErrors(global);
  installPromise(global, header);
  installClock(global);
  installConsole(global, outbox);
  installClient(global);
  installStream(global);
  installRpc(global);
  installAttributes(global);
  timers.install(global);
  fetches.install(global);
  installTemporal(global);
  installWeb(global);
  installFile(global);
  installData(global);
  installToken(global);
  installShare(global);
  installNet(global);
  installNotOffered(global, app.application);
  hide(global, 'application', app.application);
  hide(global, 'queueMicrotask', (fn: unknown) => {
    if (typeof fn !== 'function')
      throw new NativeTypeError(`queueMicrotask: expected a function, got ${shown(fn)}`);
    runSoon(() => void apply(fn, undefined, []));
  });
  // Time and memory that no limit covers, and the ends of objects, which no two runs agree on (ARCHITECTURE.md, "The wall").
  for (const name of ['WeakRef', 'FinalizationRegistry', 'Atomics', 'SharedArrayBuffer', 'WebAssembly']) {
    Reflect.deleteProperty(global, name);
  }
  const { console, crypto, performance } = global as unknown as Record<string, object>;
  const prototypes = [Client.prototype, Stream.prototype, global.Promise.prototype];
  // The global object is `this` at the top of a classic script, and has `eval`.
  for (const holder of [...prototypes, app.application, console!, crypto!, performance!, global])
    reserveMethods(holder);
}
