/**
 * What makes the scripts fail soon. `idleInstanceMs`: nobody comes back to an instance that was attacked. `coreRetireMb`: whoever
 * moves to another core in the middle of its attack has not done what it is there for.
 */
export const HOSTILE_LIMITS = {
  handlerMs: 300,
  startMs: 1500,
  heapMb: 24,
  pendingConnectMs: 1500,
  authorizeMs: 1500,
  idleInstanceMs: 500,
  backOffMs: 100,
  stuckGraceMs: 400,
  coreRetireMb: 16_384,
} as const;
