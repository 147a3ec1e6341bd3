export const deliveryLimits = {
  /** Connections at work at one time, each with a batch of its own: slow servers keep others waiting only when they hold them all. */
  batches: 100,
  /** Rows of one batch, all of one destination. */
  capacity: 100,
  /** Connections that are kept open with nothing to do. */
  idleConnections: 50,
  /** How long one is kept: a next batch for the same host comes within it or not at all. */
  idleMs: 5_000,
  /** Of messages read ahead for one connection; a larger one goes through in pieces. */
  readAheadBytes: 256 * 1024,
  readAheadMessages: 20,
  /** Of messages that must be in memory as a whole because they are made 7-bit. */
  wholeBytes: 64 * 1024 * 1024,
  /** Up to this a message is made 7-bit in the event loop, which takes some milliseconds; past it in a thread. */
  convertInlineBytes: 128 * 1024,
  /** For a thread that converts. */
  convertMs: 60_000,
  /** How long a batch waits for a permit before it is handed back, and how often it asks. */
  permitWaitMs: 2_000,
  permitPollMs: 250,
  /** Outcomes that one write to the store has. */
  outcomesPerWrite: 500,
  /** A proven 250 that can't be written is kept so long. */
  provenKeepMs: 15 * 60_000,
  recordRetryMs: 500,
  recordRetryMostMs: 5_000,
  /** Transactions that may end in a lost connection one after the other, before the rest of the batch is handed back. */
  lossesInARow: 2,
  /** How often health goes to the groups' rows. */
  reportMs: 1_000,
  /** Time for releases and last outcomes when a process ends, after its grace. */
  closingMs: 3_000,
} as const;
