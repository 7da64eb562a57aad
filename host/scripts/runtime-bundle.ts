import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The runtime as one script whose value is its `boot` function (runtime/main.ts). */
export async function bundleRuntime(): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL('../../runtime/main.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'neutral',
    // Every isolate keeps a copy of the source.
    minifyWhitespace: true,
    minifySyntax: true,
    target: 'esnext',
    banner: { js: '(function () { "use strict"; const module = { exports: {} };' },
    footer: { js: 'return module.exports.boot; })()' },
  });
  return result.outputFiles[0]!.text;
}
