import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { takeTokens } from './bucket.ts';

test('in any t seconds at most (t + 1) × rate go, and whoever waits as told gets as many as come in', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.array(fc.record({ waitMs: fc.nat({ max: 1_500 }), want: fc.nat({ max: 6_000 }) }), { maxLength: 40 }),
      (perSecond, steps) => {
        const taken: { at: number; got: number }[] = [];
        let now = 5_000;
        let spentAt = 0;
        for (const { waitMs, want } of steps) {
          now += waitMs;
          const answer = takeTokens({ spentAt, now, perSecond, want });
          spentAt = answer.spentAt;
          taken.push({ at: now, got: answer.got });
          if (answer.got < want) {
            const later = takeTokens({ spentAt, now: now + answer.nextInMs, perSecond, want: 1 });
            assert.equal(later.got, 1);
          }
        }
        for (const [first, { at }] of taken.entries()) {
          let got = 0;
          for (const one of taken.slice(first)) {
            got += one.got;
            assert.ok(got <= perSecond * (1 + (one.at - at) / 1_000) + 1e-3);
          }
        }
      },
    ),
    { seed: 5 },
  );
});

test('a rate that is changed counts at once, and a clock that goes back blocks nothing', () => {
  assert.equal(takeTokens({ spentAt: 0, now: 10_000, perSecond: 3, want: 9 }).got, 3);
  assert.equal(takeTokens({ spentAt: 9_500, now: 10_000, perSecond: 100, want: 99 }).got, 50);
  const back = takeTokens({ spentAt: 10_000, now: 100, perSecond: 10, want: 1 });
  assert.deepEqual(back, { got: 0, spentAt: 100, nextInMs: 100 });
});
