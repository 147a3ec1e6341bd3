export const deliveryLimits = {
  /** Rows of one batch: one claim, one transaction. */
  capacity: 400,
  /** Batches under way: one is parsed while the other commits. */
  batches: 2,
  /** Bytes of bodies that one batch reads at once; larger ones are read alone. */
  bytesPerRead: 8 * 1024 * 1024,
  /** Of a larger message only this much is parsed; it is kept whole. */
  parsedBytes: 64 * 1024 * 1024,
  /** Bytes of bodies in memory, of all batches; one body of the largest size always fits. */
  heldBytes: 64 * 1024 * 1024,
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
