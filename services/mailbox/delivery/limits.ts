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
} as const;
