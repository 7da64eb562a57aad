import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildOptions, Plugin } from 'esbuild';
import { withBundler } from './bundler.ts';

const LIMITS = { buildMs: 20_000, buildMb: 2048 };

/** What runs in isolates: every one of them keeps a copy of the source. */
const ISOLATE: BuildOptions = {
  platform: 'neutral',
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: true,
};

/** The runtime as one script whose value is its `boot` function (runtime/main.ts). */
export function bundleRuntime(): Promise<string> {
  return bundle('../../runtime/main.ts', {
    ...ISOLATE,
    format: 'cjs',
    banner: { js: '(function () { "use strict"; const module = { exports: {} };' },
    footer: { js: 'return module.exports.boot; })()' },
  });
}

/**
 * The parts of the runtime that few scripts need. Each is the body of a function: runtime/parts.ts asks the core for it
 * when a script first needs it, so that those who do not need it have neither its code nor its objects.
 */
export async function bundleParts(): Promise<Record<string, string>> {
  const names = ['web', 'file', 'data', 'share', 'stream', 'token', 'handover', 'net'];
  // V8 says the names of classes in its own errors.
  const options: BuildOptions = { ...ISOLATE, minifyIdentifiers: false, format: 'iife' };
  const parts = names.map((name) => bundle(`../../runtime/${name}/main.ts`, options));
  const codes = await Promise.all(parts);
  return Object.fromEntries(names.map((name, index) => [name, codes[index]!]));
}

/**
 * The core process as one module without types. With the types each core would load what removes them: 28 MB and
 * 70 ms of processor time.
 */
export async function bundleCore(): Promise<string> {
  const define = { RUNTIME_PARTS: JSON.stringify(await bundleParts()) };
  return bundle('../core/main.ts', { format: 'esm', platform: 'node', packages: 'external', define });
}

/** Files of wire/ with a smaller twin for pages, where nobody is between us and the built-ins. */
const pageTwins: Plugin = {
  name: 'page-twins',
  setup(build) {
    build.onResolve({ filter: /^\.\/(utf8|primordials)\.ts$/ }, ({ path, importer }) =>
      /[\\/]wire[\\/][^\\/]+$/.test(importer)
        ? { path: fileURLToPath(new URL(`../../client/page/${path}`, import.meta.url)) }
        : undefined,
    );
  },
};

const PAGE_SCRIPTS = {
  'client.js': 'index.ts',
  'media.js': 'media/attach-video.ts',
  'low-latency.js': 'media/attach-canvas.ts',
  'publish.js': 'media/publish-media.ts',
  'aac.js': 'media/aac/encoder.ts',
} as const;

/** What a page loads when it needs it: scripts beside the one that imports it. */
const loadedLater: Plugin = {
  name: 'loaded-later',
  setup(build) {
    build.onResolve({ filter: /\/aac\/encoder\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './aac.js', external: true } : undefined,
    );
  },
};

/** What the server has for pages, by name: the client, and what plays and makes media, for the pages that do. */
export async function bundlePageScripts(): Promise<ReadonlyMap<string, string>> {
  const scripts = Object.entries(PAGE_SCRIPTS).map(
    async ([name, entry]) => [name, await bundleForPages(entry)] as const,
  );
  return new Map(await Promise.all(scripts));
}

function bundleForPages(entry: string): Promise<string> {
  return bundle(`../../client/${entry}`, {
    format: 'esm',
    platform: 'neutral',
    minify: true,
    plugins: [pageTwins, loadedLater],
    target: 'es2022',
    alias: { mediabunny: fileURLToPath(new URL('../../client/media/aac/mediabunny.ts', import.meta.url)) },
    // For Node, where the encoder of AAC would run, too.
    external: ['worker_threads'],
  });
}

/** What the playground imports of the client it loads from this server, as every page does. */
const servedClient: Plugin = {
  name: 'served-client',
  setup(build) {
    const served = Object.entries(PAGE_SCRIPTS).map(
      ([name, entry]) => [fileURLToPath(new URL(`../../client/${entry}`, import.meta.url)), name] as const,
    );
    build.onResolve({ filter: /^\.\.?\/.*\/client\// }, ({ path, resolveDir }) => {
      const [, name] = served.find(([file]) => file === resolve(resolveDir, path)) ?? [];
      return name === undefined ? undefined : { path: `/${name}`, external: true };
    });
  },
};

/** The files of the playground (playground/), by address. */
export async function bundlePlayground(): Promise<ReadonlyMap<string, string>> {
  const options: BuildOptions = { format: 'esm', platform: 'browser', minify: true, target: 'es2022' };
  const [page, script, style] = await Promise.all([
    readFile(new URL('../../playground/index.html', import.meta.url), 'utf8'),
    bundle('../../playground/main.tsx', {
      ...options,
      jsx: 'automatic',
      jsxImportSource: 'preact',
      plugins: [servedClient],
    }),
    bundle('../../playground/style/main.css', { ...options, target: 'esnext' }),
  ]);
  return new Map([
    ['/', page],
    ['/playground.js', script],
    ['/playground.css', style],
  ]);
}

async function bundle(entry: string, options: BuildOptions): Promise<string> {
  const entryPoints = [fileURLToPath(new URL(entry, import.meta.url))];
  const { outputFiles } = await withBundler(LIMITS, ({ api }) =>
    api.build({ target: 'esnext', ...options, entryPoints, bundle: true, write: false }),
  );
  return outputFiles[0]!.text;
}
