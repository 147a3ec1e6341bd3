/**
 * What a group has taken well lately: how many connections it is given at a time, and whether it is left alone for a while. Times are those of the Clock
 * port. docs/decisions/destination-limits.md says why the numbers are these.
 */
export interface GroupHealth {
  /** Connections at a time, with fractions, from 1; undefined as long as nothing was reported. The limit holds besides. */
  allowed: number | undefined;
  /** Times in a row that it couldn't be reached. */
  misses: number;
  /** Pauses in a row without a success after them. */
  failures: number;
  /** When the pause ends, 0: none. From then until the next success it is given one connection in all. */
  pausedUntil: number;
  /** The last success, 0: none. */
  okAt: number;
}

/** What happened at a group since the last report. */
export interface HealthReport {
  /** Transactions that it took, or refused for reasons of the message or the recipient. */
  ok: number;
  /** Transactions or connections that it deferred or broke off: too many connections, too fast, a time-out in the middle. */
  failed: number;
  /** Times that none of its hosts gave a connection and a greeting: refused, silent, 421 at the greeting. */
  unreachable: number;
}

/** With how many it begins. */
export const startAllowed = 5;
/** Connections that a failure costs: a round of failures, one for each that is allowed, halves them. */
export const failureCost = 0.5;
/** A group that took mail so recently isn't down because one connection failed… */
export const recentMs = 10_000;
/** …but because so many did, one after the other. */
export const missesToPause = 3;
export const firstPauseMs = 60_000;
export const longestPauseMs = 30 * 60_000;
/** Added at random, lest all groups of one outage come back together. */
export const pauseJitter = 0.1;

export const newHealth: GroupHealth = { allowed: undefined, misses: 0, failures: 0, pausedUntil: 0, okAt: 0 };

/** `limit`: connections that the limits allow. `jitter` in [0, 1). */
export function afterReport(
  health: GroupHealth,
  report: HealthReport,
  { limit, now, jitter }: { limit: number; now: number; jitter: number },
): GroupHealth {
  const { ok, failed, unreachable } = report;
  const current = Math.min(limit, health.allowed ?? startAllowed);
  const shrunk = (from: number): number => Math.max(1, Math.min(limit, from) - (failed + unreachable) * failureCost);
  if (ok > 0) {
    // Each success adds 1/allowed, so a round of them adds one: summed up, allowed² grows by two for each.
    const allowed = shrunk(Math.sqrt(current * current + 2 * ok));
    return { allowed, misses: 0, failures: 0, pausedUntil: 0, okAt: Math.max(now, health.okAt) };
  }
  if (unreachable === 0) return { ...health, allowed: shrunk(current) };
  // Attempts that were under way when it began tell nothing new.
  if (health.pausedUntil > now) return health;
  const misses = health.misses + unreachable;
  const isDown = health.failures > 0 || misses >= missesToPause || health.okAt <= now - recentMs;
  if (!isDown) return { ...health, misses, allowed: shrunk(current) };
  const failures = health.failures + 1;
  return { ...health, allowed: 1, misses: 0, failures, pausedUntil: now + pauseMs(failures, jitter) };
}

/** 1, 2, 4 … 30 minutes. */
function pauseMs(failures: number, jitter: number): number {
  const step = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 30));
  return Math.floor(step * (1 + pauseJitter * jitter));
}

/** How many more connections it may be given, `inUse` of them counted; never negative. */
export function roomFor(
  health: GroupHealth,
  { limit, inUse, now }: { limit: number; inUse: number; now: number },
): number {
  return Math.max(0, Math.min(limit, allowedNow(health, now)) - inUse);
}

/** Connections at a time without regard to the limits: 0 in a pause, 1 after it until the next success. */
export function allowedNow(health: GroupHealth, now: number): number {
  if (health.pausedUntil > now) return 0;
  return health.failures > 0 ? 1 : Math.floor(health.allowed ?? startAllowed);
}
