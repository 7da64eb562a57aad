import { nearestName } from '../base/check.ts';
import type { Log } from '../base/log.ts';
import type { Build } from './builder.ts';

/** What is looked up on `application`; the last two by the component framework (runtime/scriptlib/framework.asc). */
const HANDLERS = [
  'onAppStart',
  'onAppStop',
  'onConnect',
  'onDisconnect',
  'onReattach',
  'onPublish',
  'onUnpublish',
  'onStatus',
  'onSave',
  'onRestore',
  'authorizePlay',
  'authorizePublish',
  'onConnectAccept',
  'onConnectReject',
];
/** One in so many may be wrong: the names of a script's own functions are further away. */
const LETTERS = 6;

/** The builds whose authors have been told: of many instances one says it. */
const toldOfNames = new WeakSet<Build>();
const toldOfVerdicts = new WeakSet<Build>();

/** `functions`: the names under which the script has put some on `application`. */
export function tellMisspelled(build: Build, log: Log, functions: readonly string[]): void {
  if (toldOfNames.has(build)) return;
  toldOfNames.add(build);
  const missing = HANDLERS.filter((name) => !functions.includes(name));
  for (const name of functions) {
    if (HANDLERS.includes(name)) continue;
    const meant = nearestName(name, missing, LETTERS);
    if (meant) log.warn(`application.${name} is no handler of the server: did you mean ${meant}?`);
  }
}

/** A client was refused since the script had not decided about it. */
export function tellUndecided(build: Build, log: Log, waitedMs: number): void {
  if (toldOfVerdicts.has(build)) return;
  toldOfVerdicts.add(build);
  log.warn(
    `a client was refused: application.onConnect had not decided about it after ${waitedMs} ms (limits.pendingConnectMs). ` +
      'Return true, false or a promise of one, or call application.acceptConnection(client)',
  );
}
