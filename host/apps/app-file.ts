import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { isResourceName } from '../../wire/stream-name.ts';
import { firstProblem } from '../base/check.ts';
import { describeError, printable, StagewireError } from '../base/errors.ts';
import { isHostEntry } from '../base/host-list.ts';
import { appLimitsSchema, defaultLimits, type Limits } from '../base/limits.ts';
import type { Defaults } from '../shared-objects/objects.ts';
import { CODEC_POLICIES, type CodecPolicy } from '../streams/codec-filter.ts';
import { MOVIE_MODES, type MovieMode } from '../streams/stream-files.ts';
import { WINDOWS_MS, type WindowMs } from '../streams/windows.ts';
import { ORIGIN } from '../web/flv/origins.ts';
import { isGone } from './main-file.ts';
import { OwnFiles } from './own-files.ts';
import { readPlainFile } from './plain-file.ts';

const HOST_EXPECTED =
  'a host such as "api.example.com", "api.example.com:8443", "*.example.org", "127.0.0.1:9000" or "[::1]:9000"';
const CODECS_EXPECTED = CODEC_POLICIES.map((name) => `"${name}"`).join(', ');
const REMUX_EXPECTED = MOVIE_MODES.map((name) => `"${name}"`).join(' or ');
const VIRTUAL_EXPECTED = 'names of folders with paths that begin with "/", such as { "films": "/videos" }';
const WINDOW_EXPECTED = `one of ${WINDOWS_MS.join(', ')}`;
const DEPTH_EXPECTED = 'a whole number of versions up to 1000000000, or -1';
const MAX_FETCH_HOSTS = 1000;
const MAX_CONNECT_APPS = 1000;
const ORIGIN_EXPECTED = 'an origin such as "https://example.com", or "*" for all';
const MAX_ORIGINS = 1000;
/** The welcome message has it in commands, which somebody may copy into a shell. */
const harmless = /^[^\p{C}\p{Zl}\p{Zp}"`$!\\]+$/u;
const STREAM_EXPECTED = 'a stream name without control characters, ", `, $, ! and \\';
/** `config` is the author's, and may hold anything. */
const MAX_DEPTH = 64;
const MAX_FILE_BYTES = 1024 * 1024;

/** Where an application can have Flash Media Server's own behaviour instead of ours (docs/from-asc-to-ts.md). */
const STRICT_SWITCHES = ['access', 'reload'] as const;
export type StrictSwitch = (typeof STRICT_SWITCHES)[number];

/** What becomes of a running instance when there is new code. */
const RELOAD_MODES = ['keep', 'reattach', 'disconnect'] as const;
export type ReloadMode = (typeof RELOAD_MODES)[number];
const RELOAD_EXPECTED = '"keep", "reattach" or "disconnect"';

/** `app.json`: what an application says of itself. */
export const appFile = z.strictObject({
  /** For editors: where the schema is. */
  $schema: z.string({ error: 'an address' }).max(1000).optional(),
  /** The stream name, query included, that the welcome message suggests to publish. */
  try: z.string({ error: STREAM_EXPECTED }).regex(harmless, { error: STREAM_EXPECTED }).max(200).optional(),
  /** Limits of its scripts and instances that differ from the server's. */
  limits: appLimitsSchema.optional(),
  /** Instances that start with the server and stay without clients: `true` for the default one, or their names. */
  loadOnStartup: z
    .union([z.boolean(), z.array(z.string().min(1).max(255)).max(100)], {
      error: 'true, false or a list of at most 100 names of instances',
    })
    .optional(),
  /** Methods of clients that clients may call: each stands for all names that begin with it. */
  allowCalls: z
    .array(z.string().min(1).max(200), { error: 'a list of names of methods' })
    .max(1000, { error: 'at most 1000 names' })
    .optional(),
  /** Whether access strings name folders only, so that all of a folder's resources are alike. */
  folderAccess: z.boolean({ error: 'true or false' }).optional(),
  /** What new code takes over of running instances: clients and the script's data, clients only, or, as FMS had it, nothing: all are disconnected. Default "keep"; "disconnect" for main.asc. */
  reload: z.enum(RELOAD_MODES, { error: RELOAD_EXPECTED }).optional(),
  /** Behaves exactly as Flash Media Server did: in everything that can be switched (`true`), or in what is listed. */
  strictFMS: z
    .union([z.boolean(), z.array(z.enum(STRICT_SWITCHES)).max(STRICT_SWITCHES.length)], {
      error: `true, false or a list of ${STRICT_SWITCHES.map((name) => `"${name}"`).join(' and ')}`,
    })
    .optional(),
  /** What its scripts read as `application.config`. */
  // Whatever JSON can say it may hold: looking at each value would hold up the host for a second and more.
  config: z.record(z.string(), z.unknown(), { error: 'an object' }).optional(),
  /** What persistent shared objects begin with, until a script says otherwise (FMS: SharedObjManager). */
  sharedObjects: z
    .strictObject({
      /** Whether they are written whenever they have changed. Default true. */
      autoCommit: z.boolean({ error: 'true or false' }).optional(),
      /** How many versions of removed slots are remembered; -1 for as many as there is room for. Default -1. */
      resyncDepth: z
        .int({ error: DEPTH_EXPECTED })
        .min(-1, { error: DEPTH_EXPECTED })
        .max(1_000_000_000, { error: DEPTH_EXPECTED })
        .optional(),
    })
    .optional(),
  /** How its streams are sent. */
  streams: z
    .strictObject({
      /** What arrives in so many milliseconds goes to each viewer as one write. Without it the window grows with the viewers of the server: 0 below 50, 20 below 200, then 50. */
      windowMs: z.literal(WINDOWS_MS, { error: WINDOW_EXPECTED }).optional(),
      /** What becomes of a codec that a player did not announce: it is left out, the play ends, or it is sent. Default "drop". */
      codecs: z.enum(CODEC_POLICIES, { error: CODECS_EXPECTED }).optional(),
      /** Whether publishing live removes the recording of that name, as Flash Media Server did. Default false. */
      eraseOnPublish: z.boolean({ error: 'true or false' }).optional(),
      /** What is made of recordings when they stop: an MP4 beside the FLV, or in its place. Default: nothing. */
      remux: z.enum(MOVIE_MODES, { error: REMUX_EXPECTED }).optional(),
      /** Where recorded streams are whose name begins so, as scripts see the path: `{ "films": "/videos" }`. */
      virtual: z
        .record(
          z.string().refine((name) => name === '/' || isResourceName(name), { error: VIRTUAL_EXPECTED }),
          z.string({ error: VIRTUAL_EXPECTED }).min(1).max(1000).startsWith('/', { error: VIRTUAL_EXPECTED }),
          { error: VIRTUAL_EXPECTED },
        )
        .refine((all) => Object.keys(all).length <= 100, { error: 'at most 100 names' })
        .optional(),
    })
    .optional(),
  /** Where its scripts may fetch from. */
  fetch: z
    .strictObject({
      hosts: z
        .array(z.string({ error: HOST_EXPECTED }).refine(isHostEntry, { error: HOST_EXPECTED }), {
          error: 'a list of hosts',
        })
        .max(MAX_FETCH_HOSTS, { error: `at most ${MAX_FETCH_HOSTS} hosts` }),
    })
    .optional(),
  /** Where its scripts may connect to (`NetConnection`): hosts, and other applications of this server. */
  connect: z
    .strictObject({
      hosts: z
        .array(z.string({ error: HOST_EXPECTED }).refine(isHostEntry, { error: HOST_EXPECTED }), {
          error: 'a list of hosts',
        })
        .max(MAX_FETCH_HOSTS, { error: `at most ${MAX_FETCH_HOSTS} hosts` })
        .optional(),
      apps: z
        .array(z.string({ error: 'the name of an application' }).min(1).max(200), {
          error: 'a list of applications',
        })
        .max(MAX_CONNECT_APPS, { error: `at most ${MAX_CONNECT_APPS} applications` })
        .optional(),
    })
    .optional(),
  /** Whose pages may connect, and play its streams over HTTP and WebSocket: origins, or "*" for all. Default: none but the server's own. */
  cors: z
    .array(z.string({ error: ORIGIN_EXPECTED }).regex(ORIGIN, { error: ORIGIN_EXPECTED }), {
      error: 'a list of origins',
    })
    .max(MAX_ORIGINS, { error: `at most ${MAX_ORIGINS} origins` })
    .optional(),
});

/** What applies to one application: the server's limits where `app.json` does not differ. */
export interface AppSettings {
  readonly try?: string | undefined;
  readonly limits: Limits;
  readonly loadOnStartup?: boolean | readonly string[] | undefined;
  readonly allowCalls?: readonly string[] | undefined;
  readonly folderAccess?: boolean | undefined;
  readonly reload?: ReloadMode | undefined;
  /** Where it is to behave exactly as Flash Media Server. */
  readonly strict?: readonly StrictSwitch[];
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  readonly fetch?: { readonly hosts: readonly string[] } | undefined;
  readonly connect?:
    | { readonly hosts?: readonly string[] | undefined; readonly apps?: readonly string[] | undefined }
    | undefined;
  readonly cors?: readonly string[] | undefined;
  readonly sharedObjects?: Defaults | undefined;
  readonly streams?:
    | {
        readonly windowMs?: WindowMs | undefined;
        readonly codecs?: CodecPolicy | undefined;
        readonly eraseOnPublish?: boolean | undefined;
        readonly remux?: MovieMode | undefined;
        readonly virtual?: Readonly<Record<string, string>> | undefined;
      }
    | undefined;
}

/**
 * The settings of the application in that folder; without `app.json` those of the server. Throws `E_APP_FILE` with
 * the key, the value seen, and what is allowed.
 */
export async function readAppSettings(
  folder: string,
  limits: Limits,
  locked: readonly string[] = [],
): Promise<AppSettings> {
  const path = join(folder, 'app.json');
  let text: string;
  try {
    const { bytes, real } = await readPlainFile(path, MAX_FILE_BYTES);
    // Scripts read its content, and errors quote it: a link may lead to what is none of the author's business.
    if (!(await new OwnFiles(folder, limits.codeBytes).has(real)))
      throw new Error(`it leads to ${real}, which is no file of this application`);
    text = new TextDecoder().decode(bytes);
  } catch (error) {
    if (isGone(error)) return { limits };
    throw problem(` cannot be read: ${describeError(error, 200)}`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw problem(` is not JSON: ${describeError(error, 200)}`);
  }
  if (isDeeperThan(MAX_DEPTH, content))
    throw problem(` has objects more than ${MAX_DEPTH} deep in one another`);
  const wrong = firstProblem(appFile, content);
  if (wrong) throw problem(`: ${wrong.what}${serverLimit(wrong.what) ?? wrong.text}`);
  const { limits: own, strictFMS = false, $schema: _, ...rest } = appFile.parse(content);
  const forbidden = locked.find((name) => own && name in own);
  if (forbidden !== undefined)
    throw problem(`: limits.${forbidden} is fixed by the server (lockedLimits in its configuration)`);
  const strict = strictFMS === true ? STRICT_SWITCHES : strictFMS || [];
  if (strict.includes('reload')) rest.reload ??= 'disconnect';
  return {
    ...rest,
    ...(strict.length > 0 && { strict }),
    limits: own ? { ...limits, ...definedOnly(own) } : limits,
  };
}

/** About a limit that the server has and applications do not; undefined when there is none at fault. */
function serverLimit(wrong: string): string | undefined {
  const name = /^unknown option "limits\.(\w+)"$/.exec(wrong)?.[1] ?? '';
  return Object.hasOwn(defaultLimits, name)
    ? ": it is a limit of the server, and belongs in the server's configuration (--config)"
    : undefined;
}

/** Level by level: the depth of what a file holds must not be that of the stack. */
function isDeeperThan(depth: number, content: unknown): boolean {
  let level = [content];
  for (let seen = 0; level.length > 0; seen++) {
    if (seen > depth) return true;
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
  return false;
}

/** The last that were compared in full: all instances of an application ask the same. */
let lastConfigs: { a: unknown; b: unknown; isSame: boolean } | undefined;

/** Whether a running instance has to start anew for these settings. */
export function isSameSettings(a: AppSettings, b: AppSettings): boolean {
  if (a === b) return true;
  const told = (settings: AppSettings) => ({
    ...settings,
    try: '',
    loadOnStartup: false,
    reload: '',
    config: '',
    cors: [],
  });
  return isDeepStrictEqual(told(a), told(b)) && isSameConfig(a.config, b.config);
}

function isSameConfig(a: AppSettings['config'], b: AppSettings['config']): boolean {
  if (a === b) return true;
  const last = lastConfigs;
  if (last && last.a === a && last.b === b) return last.isSame;
  const isSame = isDeepStrictEqual(a, b);
  lastConfigs = { a, b, isSame };
  return isSame;
}

function definedOnly(own: Record<string, number | undefined>): Partial<Limits> {
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
}

function problem(text: string): StagewireError {
  return new StagewireError('E_APP_FILE', 'app', printable(`app.json${text}`, 500));
}
