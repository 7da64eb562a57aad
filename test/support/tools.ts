import { spawnSync } from 'node:child_process';

/** What a test may need that npm does not bring. */
export type Tool = 'ffmpeg' | 'ffprobe' | 'ffplay' | 'rtmpdump' | 'gst-launch-1.0' | 'chromium';

const isInstalled = new Map<Tool, boolean>();

/**
 * Skips the test, saying why, when a tool is missing. Where every tool has to be there
 * (STAGEWIRE_REQUIRE_TOOLS=1, as in .ci/run) the test fails instead.
 */
export function requireTools(context: { skip(note?: string): void }, ...tools: Tool[]): void {
  const missing = tools.filter((tool) => !has(tool));
  if (missing.length === 0) return;
  const reason = `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed`;
  if (process.env.STAGEWIRE_REQUIRE_TOOLS === '1') {
    throw new Error(`${reason}, and STAGEWIRE_REQUIRE_TOOLS=1 asks for every tool`);
  }
  console.warn(`skipped: ${reason}`);
  context.skip(reason);
}

function has(tool: Tool): boolean {
  let found = isInstalled.get(tool);
  if (found === undefined) {
    found = spawnSync(tool, ['-version'], { stdio: 'ignore' }).error === undefined;
    isInstalled.set(tool, found);
  }
  return found;
}
