/** Jitter's largest share of a step: 30 minutes become 30 to 33. */
const jitterShare = 0.1;

/**
 * When to try again after an attempt that ended at `attemptEndedAt` (ms). `attempts` counts that attempt too, so the first failure has 1 and takes the
 * first step; past the last step the last one repeats. Jitter only ever adds, so that attempts are never closer than the step says
 * (RFC 5321 §4.5.4.1: at least 30 minutes), and a thousand rows deferred together don't come back together.
 */
export function nextAttemptAt(attempt: {
  stepsMs: readonly number[];
  attempts: number;
  attemptEndedAt: number;
  /** In [0, 1), as Math.random. */
  random: () => number;
}): number {
  const { stepsMs, attempts } = attempt;
  const stepMs = stepsMs[Math.min(Math.max(attempts, 1), stepsMs.length) - 1];
  if (stepMs === undefined) throw new RangeError('a retry schedule has at least one step');
  return attempt.attemptEndedAt + stepMs + Math.floor(stepMs * jitterShare * attempt.random());
}
