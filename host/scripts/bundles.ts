import { fileURLToPath } from 'node:url';
import type { BuildOptions } from 'esbuild';
import { withBundler } from './bundler.ts';

const LIMITS = { buildMs: 20_000, buildMb: 2048 };

/** The runtime as one script whose value is its `boot` function (runtime/main.ts). */
export function bundleRuntime(): Promise<string> {
  return bundle('../../runtime/main.ts', {
    format: 'cjs',
    platform: 'neutral',
    // Every isolate keeps a copy of the source.
    minifyWhitespace: true,
    minifySyntax: true,
    banner: { js: '(function () { "use strict"; const module = { exports: {} };' },
    footer: { js: 'return module.exports.boot; })()' },
  });
}

/**
 * The core process as one module without types. With the types each core would load what removes them: 28 MB and
 * 70 ms of processor time.
 */
export function bundleCore(): Promise<string> {
  return bundle('../core/main.ts', { format: 'esm', platform: 'node', packages: 'external' });
}

async function bundle(entry: string, options: BuildOptions): Promise<string> {
  const entryPoints = [fileURLToPath(new URL(entry, import.meta.url))];
  const { outputFiles } = await withBundler(LIMITS, ({ api }) =>
    api.build({ ...options, entryPoints, bundle: true, write: false, target: 'esnext' }),
  );
  return outputFiles[0]!.text;
}
