import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { nextAttemptAt } from './schedule.ts';

const minute = 60_000;
const next = (stepsMs: readonly number[], attempts: number, random = 0): number =>
  nextAttemptAt({ stepsMs, attempts, attemptEndedAt: 0, random: () => random });

test('each failure takes the next step, and the last step repeats', () => {
  const steps = [5 * minute, 30 * minute, 60 * minute];
  assert.deepEqual(
    [1, 2, 3, 4, 50].map((attempts) => next(steps, attempts) / minute),
    [5, 30, 60, 60, 60],
  );
});

test('jitter only adds: 30 minutes become 30 to 33', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(200), (random, attempts) => {
      const waitMs = next([30 * minute], attempts, random);
      assert.ok(waitMs >= 30 * minute && waitMs <= 33 * minute, `${waitMs}`);
    }),
  );
});

test('B5: over five days the default schedule never tries one delivery twice within 30 minutes', () => {
  const expiresAt = 5 * 24 * 60 * minute;
  const seeds = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));
  fc.assert(
    fc.property(seeds, (stream) => {
      const random = (): number => stream.next().value ?? 0;
      const attemptsAt: number[] = [];
      for (let now = 0; now < expiresAt; ) {
        attemptsAt.push(now);
        now = nextAttemptAt({ stepsMs: [30 * minute], attempts: attemptsAt.length, attemptEndedAt: now, random });
      }
      const gaps = attemptsAt.slice(1).map((at, index) => at - (attemptsAt[index] ?? 0));
      assert.ok(Math.min(...gaps) >= 30 * minute);
      assert.ok(attemptsAt.length >= 218 && attemptsAt.length <= 241, `${attemptsAt.length} attempts`);
    }),
    { numRuns: 20 },
  );
});

test('an empty schedule is a mistake of the caller', () => {
  assert.throws(() => next([], 1), RangeError);
});
