/** The window of due rows: an entry is about 300 bytes, so that it never grows past a few megabytes. */
export const windowCaps = { total: 10_000, perDestination: 500 } as const;

/** See LoadLimits. */
export const loadLimits = { rowsPerRead: 2_000, enough: 400, gatherMs: 50, tickMs: 1_000 } as const;

export const handoutLimits = {
  /** Pulls that may wait for rows at once; past it an empty batch at once. */
  waitingPulls: 256,
  /** Claims of which the end is waited for, and for how many leases. */
  claimsOut: 4_096,
  rememberedLeases: 20,
} as const;

export const sweepLimits = {
  /** Rows or messages that one call to the store looks at. */
  perCall: 500,
  /** Calls of one kind in one sweep: the rest waits for the next. */
  calls: 20,
  /** Ingress fans out by itself right after the 250; only what it left is for the sweep. */
  unroutedAfterMs: 5_000,
  /** Finished rows and bodies are removed this often. */
  housekeepingMs: 10 * 60_000,
  /** A body stays this long after its last delivery has ended. */
  bodyKeepMs: 24 * 60 * 60_000,
  /** A blob that no row names may be of an accept under way, but not this long. */
  unreferredBlobKeepMs: 48 * 60 * 60_000,
} as const;

export const reportLimits = {
  /** How long the failures of one message are gathered while another of its rows is still under way. */
  gatherMs: 60_000,
  /** Messages that one round works off. */
  messages: 200,
} as const;
