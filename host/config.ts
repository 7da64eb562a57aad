import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { firstProblem, nearestName, quoted } from './base/check.ts';
import { describeError, printable, StagewireError } from './base/errors.ts';
import { appLimitNames, limitsSchema } from './base/limits.ts';

export { defaultLimits, type Limits } from './base/limits.ts';

/** Where a listener binds. Port 0 picks a free one. */
export interface Address {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

const defaultHost = '127.0.0.1';
const addressAllowed =
  '[HOST:]PORT with a port from 0 to 65535 (0 picks a free one), such as 0.0.0.0:1935 or [::1]:1935';

const address = z
  .union([z.string(), z.number()], { error: addressAllowed })
  .transform((text, context): Address => {
    const parsed = parseAddress(String(text));
    if (parsed) return parsed;
    context.addIssue({ code: 'custom', message: addressAllowed, input: text });
    return z.NEVER;
  });

const originAllowed =
  'the address of a server, rtmp://HOST[:PORT][/APP] or rtmps://HOST[:PORT][/APP], such as rtmp://origin.example:1935';

/** The server that this one is an edge of. */
export interface OriginConfig {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** Undefined: all. */
  readonly app: string | undefined;
  readonly uri: string;
}

const originAddress = z.string({ error: originAllowed }).transform((text, context): OriginConfig => {
  const [, scheme = '', authority = '', app = ''] =
    /^(rtmps?):\/\/([^/?#@]+)(?:\/([^/?#]*))?\/?$/i.exec(text) ?? [];
  const url = authority === '' ? null : URL.parse(`rtmp://${authority}`);
  if (url) {
    const isSecure = scheme.toLowerCase() === 'rtmps';
    const port = url.port === '' ? (isSecure ? 443 : 1935) : Number(url.port);
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return { host, port, isSecure, app: app === '' ? undefined : app, uri: text };
  }
  context.addIssue({ code: 'custom', message: originAllowed, input: text });
  return z.NEVER;
});

const path = z.string({ error: 'a path' }).min(1, { error: 'a path' });
/** As scripts write it: `/videos`. */
const virtualPath = z.string().regex(/^(?:\/[^/.:\\][^/:\\]*)+$/, { error: 'a path such as "/videos"' });
const oneOf = <const Names extends readonly string[]>(...names: Names) =>
  z.enum(names, { error: names.join(' or ') });

/** Every option of the server, as the file given with `--config` spells it. */
const options = z.strictObject({
  /** The applications directory: one folder per application. Default `sample-apps`. */
  apps: path.default('sample-apps'),
  /** Where the server keeps its data: shared objects, recordings. Created when missing. Default `.stagewire`. */
  data: path.default('.stagewire'),
  /** Where RTMP listens. Default `127.0.0.1:1935`. */
  rtmp: address.default({ host: defaultHost, port: 1935 }),
  /** Where HTTP listens: WebSocket, HTTP-FLV, console, API, metrics. Default `127.0.0.1:8080`. */
  http: address.default({ host: defaultHost, port: 8080 }),
  /** Where RTMP listens over TLS. Default: nowhere. */
  rtmps: address.optional(),
  /** Where HTTP listens over TLS, with all that `http` has. Default: nowhere. */
  https: address.optional(),
  /** The certificate of these two in PEM format, those of its authorities behind it; read again when it changes. Default: none. */
  tlsCert: path.optional(),
  /** Its private key in PEM format, likewise. Default: none. */
  tlsKey: path.optional(),
  /** Records for people, or one JSON object a line. Default `pretty`. */
  log: oneOf('pretty', 'json').default('pretty'),
  /** The least important records that are printed. Default `info`. */
  logLevel: oneOf('debug', 'info', 'warn', 'error').default('info'),
  /** Folders in which classic scripts find what they `load`, behind their own. Default: none. */
  scriptLibPath: z.array(path, { error: 'a list of paths' }).default([]),
  /**
   * Folders elsewhere that `File` shows the scripts of an application under a path (FMS: FileObject/VirtualDirectory):
   * `{ "vod": { "/videos": "/srv/videos" } }`. Default: none.
   */
  fileDirectories: z
    .record(z.string(), z.record(virtualPath, path), {
      error: 'an object of applications, each with its paths and their folders',
    })
    .default({}),
  /** A file whose text is the token that the API's administration asks for. Default: none. */
  adminTokenFile: path.optional(),
  /** What is around the processes that run scripts; `bwrap` needs Bubblewrap. Default `permission`. */
  sandbox: oneOf('permission', 'bwrap').default('permission'),
  /** Whether the types of applications in TypeScript are checked after each build; what is found is a warning. Default true. */
  typeCheck: z.boolean({ error: 'true or false' }).default(true),
  /**
   * The server that this one is an edge of: clients connect here and are served from there, in all applications or in the one
   * that is named. Default: none.
   */
  edgeOf: originAddress.optional(),
  /** What an edge is called at its origin, where no other may have the same name. Default: made up. */
  edgeName: z
    .string({ error: 'a name of 1 to 100 characters' })
    .regex(/^[\x21-\x7e]{1,100}$/, { error: 'a name of 1 to 100 characters, without spaces' })
    .optional(),
  /** A file whose text is the secret that edges and their origin share; with it a server takes edges. Default: none. */
  edgeSecretFile: path.optional(),
  /** Whether the playground is served at `/`. Default true. */
  playground: z.boolean({ error: 'true or false' }).default(true),
  limits: limitsSchema.prefault({}),
  /** Limits that no application's `app.json` may change. Default: none. */
  lockedLimits: z.array(z.enum(appLimitNames, { error: 'a limit that app.json may set' })).default([]),
});

/** The configuration with every default filled in; paths are absolute. */
export type Config = z.output<typeof options>;

/** What the command line asks for: a server, or a text to print before leaving with exit code 0. */
export type CommandLine = { readonly config: Config } | { readonly print: string };

interface Flag {
  /** Empty for a flag without a value: one of an option turns that off. */
  readonly value: string;
  readonly about: string;
  /** The option that it sets. */
  readonly option?: Exclude<
    keyof Config,
    'limits' | 'lockedLimits' | 'scriptLibPath' | 'fileDirectories' | 'typeCheck'
  >;
}

const flags: Readonly<Record<string, Flag>> = {
  '--apps': { value: 'DIR', about: 'applications, a folder each (default sample-apps)', option: 'apps' },
  '--data': {
    value: 'DIR',
    about: "the server's own data, created when missing (default .stagewire)",
    option: 'data',
  },
  '--rtmp': { value: '[HOST:]PORT', about: 'where RTMP listens (default 127.0.0.1:1935)', option: 'rtmp' },
  '--http': { value: '[HOST:]PORT', about: 'where HTTP listens (default 127.0.0.1:8080)', option: 'http' },
  '--rtmps': {
    value: '[HOST:]PORT',
    about: 'where RTMP listens over TLS (default nowhere)',
    option: 'rtmps',
  },
  '--https': {
    value: '[HOST:]PORT',
    about: 'where HTTP listens over TLS (default nowhere)',
    option: 'https',
  },
  '--tls-cert': {
    value: 'FILE',
    about: 'the certificate of these two, in PEM format; read again when it changes',
    option: 'tlsCert',
  },
  '--tls-key': { value: 'FILE', about: 'its private key, likewise', option: 'tlsKey' },
  '--log': {
    value: 'pretty|json',
    about: 'for people, or a JSON object a line (default pretty)',
    option: 'log',
  },
  '--config': { value: 'FILE', about: 'these options and all limits as JSON; flags win over the file' },
  '--sandbox': {
    value: 'permission|bwrap',
    about: 'what is around the processes that run scripts (default permission)',
    option: 'sandbox',
  },
  '--admin-token-file': {
    value: 'FILE',
    about: 'holds the token that administration asks for',
    option: 'adminTokenFile',
  },
  '--edge-of': {
    value: 'rtmp://HOST[:PORT][/APP]',
    about: 'clients connect here and are served from that server (docs/scaling.md)',
    option: 'edgeOf',
  },
  '--edge-name': {
    value: 'NAME',
    about: 'what this edge is called there (default made up)',
    option: 'edgeName',
  },
  '--edge-secret-file': {
    value: 'FILE',
    about: 'holds the secret that edges and their origin share; with it the server takes edges',
    option: 'edgeSecretFile',
  },
  '--no-playground': { value: '', about: 'nothing at http://HOST:PORT/', option: 'playground' },
  '--help': { value: '', about: 'print this' },
  '--version': { value: '', about: 'print the version' },
};

/**
 * Reads the command line and the file it names, and makes sure of the folders. Throws `E_USAGE` (command
 * line) or `E_CONFIG` (file, folders), each with one line to print before leaving with exit code 2.
 */
export function parseCommandLine(argv: readonly string[], cwd = process.cwd()): CommandLine {
  const given = readFlags(argv);
  if (given.has('--help')) return { print: helpText() };
  if (given.has('--version')) return { print: version() };

  const file = given.get('--config');
  const fromFile = file === undefined ? {} : readConfigFile(resolve(cwd, file));
  const fromFlags: Record<string, unknown> = {};
  for (const [name, text] of given) {
    const { option, value } = flags[name]!;
    if (option) fromFlags[option] = pathOptions.has(option) ? resolve(cwd, text) : value !== '' && text;
  }
  check(fromFlags, 'E_USAGE', (key) => Object.keys(flags).find((name) => flags[name]?.option === key) ?? key);

  const parsed = options.parse({ ...fromFile, ...fromFlags });
  const config = { ...parsed, apps: resolve(cwd, parsed.apps), data: resolve(cwd, parsed.data) };
  requireOwnPorts(config);
  requireCertificate(config);
  requireSecret(config);
  requireFolders(config);
  return { config };
}

const pathOptions: ReadonlySet<string> = new Set([
  'apps',
  'data',
  'adminTokenFile',
  'edgeSecretFile',
  'tlsCert',
  'tlsKey',
]);

function readFlags(argv: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [name = '', inline] = splitOnce(word, '=');
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (!flag) {
      const nearest = nearestName(name, Object.keys(flags));
      const hint = nearest ? `did you mean ${nearest}?` : 'see --help';
      throw usage(`unknown ${name.startsWith('-') ? 'option' : 'argument'} ${quoted(name)}: ${hint}`);
    }
    if (flag.value === '') {
      if (inline !== undefined) throw usage(`${name} takes no value, got ${quoted(inline)}`);
      given.set(name, '');
      continue;
    }
    const value = inline ?? (rest[0]?.startsWith('--') ? undefined : rest.shift());
    if (value === undefined || value === '') throw usage(`${name} needs a value: ${name} ${flag.value}`);
    given.set(name, value);
  }
  return given;
}

/** The checked content of a configuration file, its paths made absolute from the file's folder. */
function readConfigFile(file: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, ''));
  } catch (error) {
    const problem = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw new StagewireError(
      'E_CONFIG',
      'host',
      `${printable(file)} ${problem}: ${describeError(error, 200)}`,
    );
  }
  check(content, 'E_CONFIG', (key) => `${printable(file)}: ${key}`);
  const given = { ...(content as Record<string, unknown>) };
  for (const name of pathOptions) {
    if (given[name] !== undefined) given[name] = resolve(dirname(file), String(given[name]));
  }
  const { scriptLibPath } = given as { scriptLibPath?: readonly string[] };
  if (scriptLibPath) given.scriptLibPath = scriptLibPath.map((folder) => resolve(dirname(file), folder));
  const { fileDirectories = {} } = given as { fileDirectories?: Config['fileDirectories'] };
  for (const folders of Object.values(fileDirectories))
    for (const [name, folder] of Object.entries(folders)) folders[name] = resolve(dirname(file), folder);
  return given;
}

/** Throws one line about the first thing wrong: where, the value seen, what is allowed. */
function check(content: unknown, code: 'E_USAGE' | 'E_CONFIG', where: (key: string) => string): void {
  const problem = firstProblem(options, content);
  if (problem) throw new StagewireError(code, 'host', `${where(problem.what)}${problem.text}`);
}

function requireOwnPorts(config: Config): void {
  const listeners = (['rtmp', 'http', 'rtmps', 'https'] as const).flatMap((name) => {
    const at = config[name];
    return at && at.port !== 0 ? [{ name, at: formatAddress(at) }] : [];
  });
  for (const { name, at } of listeners) {
    const first = listeners.find((other) => other.at === at);
    if (first && first.name !== name)
      throw usage(`--${first.name} and --${name} are both ${at}: give one of them another port`);
  }
}

/** A certificate, its key and a listener go together. */
function requireCertificate({ rtmps, https, tlsCert, tlsKey }: Config): void {
  const secure = rtmps ? '--rtmps' : https ? '--https' : undefined;
  if (tlsCert !== undefined && tlsKey === undefined)
    throw usage('--tls-cert is given without --tls-key: name the file with its private key');
  if (tlsKey !== undefined && tlsCert === undefined)
    throw usage('--tls-key is given without --tls-cert: name the file with the certificate');
  if (secure && tlsCert === undefined)
    throw usage(`${secure} needs a certificate: --tls-cert FILE and --tls-key FILE`);
  if (!secure && tlsCert !== undefined)
    throw usage('--tls-cert is for --rtmps and --https, and neither is given');
}

function requireSecret({ edgeOf, edgeName, edgeSecretFile }: Config): void {
  if (edgeOf && edgeSecretFile === undefined)
    throw usage('--edge-of needs the secret that the origin has, too: --edge-secret-file FILE');
  if (edgeName !== undefined && !edgeOf) throw usage('--edge-name is for --edge-of, and that is not given');
}

function requireFolders(config: Config): void {
  const apps = statSync(config.apps, { throwIfNoEntry: false });
  // An edge in all applications has none of its own.
  const isNeeded = !config.edgeOf || config.edgeOf.app !== undefined;
  if (isNeeded && !apps?.isDirectory()) {
    const problem = apps ? 'is not a folder' : 'does not exist';
    const text = `the applications folder ${printable(config.apps)} ${problem}: create it or name another with --apps DIR`;
    throw new StagewireError('E_CONFIG', 'host', text);
  }
  const listed = [
    ...config.scriptLibPath.map((folder) => ({ option: 'scriptLibPath', folder })),
    ...Object.values(config.fileDirectories)
      .flatMap((folders) => Object.values(folders))
      .map((folder) => ({ option: 'fileDirectories', folder })),
  ];
  for (const { option, folder } of listed) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) continue;
    const text = `${option}: ${printable(folder)} is no folder: create it, or take it off the list`;
    throw new StagewireError('E_CONFIG', 'host', text);
  }
  try {
    // What clients stored is nobody else's to read.
    mkdirSync(config.data, { recursive: true, mode: 0o700 });
  } catch (error) {
    const text = `the data folder ${printable(config.data)} cannot be created: ${describeError(error)}`;
    throw new StagewireError('E_CONFIG', 'host', text);
  }
}

function parseAddress(text: string): Address | undefined {
  const match = /^(?:(?:\[(?<v6>[^\]]*)\]|(?<name>[A-Za-z0-9._-]+)):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.port);
  const { v6, name } = match?.groups ?? {};
  if (!match || port > 65_535 || (v6 !== undefined && isIP(v6) !== 6)) return undefined;
  return { host: v6 ?? name ?? defaultHost, port };
}

/** `host:port` as a URL spells it. */
export function formatAddress({ host, port }: Address): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function usage(text: string): StagewireError {
  return new StagewireError('E_USAGE', 'host', text);
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

function helpText(): string {
  const rows = Object.entries(flags).map(
    ([name, { value, about }]) => [`${name} ${value}`.trimEnd(), about] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    `Stagewire ${version()}, an open Flash Communication Server`,
    '',
    'Usage: npm start -- [options]',
    '',
    ...rows.map(([left, about]) => `  ${left.padEnd(width)}  ${about}`),
    '',
    'Save a file in an application folder and its running instances take the new code over.',
  ].join('\n');
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
