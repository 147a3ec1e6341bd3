/** Rows for outside in the window: about 400 bytes each. */
export const laneCaps = { total: 20_000, perLane: 200 } as const;

export const remoteLoadLimits = {
  rowsPerRead: 2_000,
  /** Most wake-ups are of local mail: they needn't cost a read of the rest each time. */
  gatherMs: 150,
  tickMs: 1_000,
} as const;

export const remoteLimits = {
  /** Rows of one batch. */
  batchRows: 100,
  /** How often blocked destinations, ends of batches and full groups are looked at. */
  tickMs: 200,
  /** Standings of groups and destinations are this old at most. */
  standingMs: 1_000,
  /** Standings that one read brings. */
  standingsPerRead: 200,
  /** Destinations and groups whose standing is remembered. */
  standings: 20_000,
  /** Look-ups at once: of destinations of new mail, and as many of those that were tried before. */
  lookUps: 64,
  routes: 20_000,
  leastRouteMs: 1_000,
  longestRouteMs: 60 * 60_000,
  /** A look-up that failed by an error of ours (the store of MTA-STS policies) is made again after. */
  routeErrorMs: 5_000,
  /** Destinations that are known not to go now; past it the oldest are forgotten, and found out again. */
  blocked: 50_000,
  /** How often a destination that an operator has paused is looked at; a resume over the API is heard of at once. */
  pausedMs: 2_000,
  /** How long the connections of ended batches may count as ours: workers keep them open for further mail. */
  peakMs: 30_000,
  /** Batches of destinations that have no way, under way at once. */
  endings: 4,
  /** Lanes that one pull looks at before it lets others go on. */
  looksPerPull: 2_000,
  /** Groups that metrics name; the others are `other`. */
  namedGroups: 20,
} as const;
