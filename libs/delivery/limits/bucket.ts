/**
 * The bucket of messages for a second. Its content is one number: `spentAt`, the time up to which all that had come in is spent; what came since then is
 * there, at most one second's worth. So a rate that is changed counts at once, and in any t seconds at most (t + 1) × rate messages go.
 */

/** How much a bucket holds. */
export const bucketMs = 1_000;

/** Lest a sum of fractions that falls short of a whole by its rounding costs one. */
export const roundingShare = 1e-6;

/** Takes up to `want`. Times in ms of the store's clock, `spentAt` with fractions; `perSecond` above 0. */
export function takeTokens(bucket: { spentAt: number; now: number; perSecond: number; want: number }): {
  got: number;
  spentAt: number;
  /** Until the next one is there. */
  nextInMs: number;
} {
  const { now, perSecond, want } = bucket;
  // A clock that went back (another primary, a boot) must not block it.
  const from = Math.min(Math.max(bucket.spentAt, now - bucketMs), now);
  const there = Math.floor(((now - from) * perSecond) / 1_000 + roundingShare);
  const got = Math.min(want, there);
  const spentAt = from + (got * 1_000) / perSecond;
  return { got, spentAt, nextInMs: Math.max(0, Math.ceil(spentAt + 1_000 / perSecond - now - roundingShare)) };
}
