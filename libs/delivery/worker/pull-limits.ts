/** How workers ask the queue's owners for batches. */
export const pullLimits = {
  /** Owners that a worker knows of at one time. */
  owners: 256,
  /** How often a worker with nothing to do asks the owners it knows, for when a wake-up was lost. */
  idlePollMs: 2_000,
  /** An owner that doesn't answer and wasn't heard of for this long is forgotten. */
  ownerSilenceMs: 60_000,
  /** An owner that could not claim is left alone for this long. */
  ownerPauseMs: 2_000,
  /** A pull doesn't wait at the owner, so this is a claim's time. */
  pullTimeoutMs: 15_000,
  backoffFirstMs: 250,
  backoffMostMs: 5_000,
} as const;
