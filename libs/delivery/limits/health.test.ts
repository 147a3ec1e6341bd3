import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { afterReport, allowedNow, type GroupHealth, longestPauseMs, newHealth, roomFor } from './health.ts';

const now = 1_750_000_000_000;
const at = { limit: 20, now, jitter: 0 };
const nothing = { ok: 0, failed: 0, unreachable: 0 };

test('a round of successes adds one connection, a round of failures halves them; how they are batched makes no difference', () => {
  const ten: GroupHealth = { ...newHealth, allowed: 10 };
  assert.ok(Math.abs((afterReport(ten, { ...nothing, ok: 10 }, at).allowed ?? 0) - 11) < 0.05);
  assert.equal(afterReport(ten, { ...nothing, failed: 10 }, at).allowed, 5);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 10 }), (batches) => {
      const sum = batches.reduce((total, ok) => total + ok, 0);
      const one = afterReport(ten, { ...nothing, ok: sum }, at).allowed ?? 0;
      const many = batches.reduce((health, ok) => afterReport(health, { ...nothing, ok }, at), ten).allowed ?? 0;
      assert.ok(Math.abs(one - many) < 1e-6);
    }),
  );
});

test('whatever is reported, there is between one connection and the limit, and a pause is never longer than the longest', () => {
  const count = fc.nat({ max: 500 });
  const report = fc.record({ ok: count, failed: count, unreachable: count, limit: fc.integer({ min: 1, max: 50 }) });
  fc.assert(
    fc.property(fc.array(report, { maxLength: 30 }), (reports) => {
      let health = newHealth;
      let time = now;
      for (const { limit, ...counts } of reports) {
        time += 600_000;
        health = afterReport(health, counts, { limit, now: time, jitter: 0.999 });
        assert.ok((health.allowed ?? 1) >= 1 && (health.allowed ?? 1) <= limit);
        assert.ok(health.pausedUntil <= time + longestPauseMs * 1.1);
        assert.ok(roomFor(health, { limit, inUse: 3, now: time }) <= Math.max(0, limit - 3));
      }
    }),
    { seed: 9 },
  );
});

test('a pause ends with one connection until the first success', () => {
  const resting = afterReport(newHealth, { ...nothing, unreachable: 1 }, at);
  assert.deepEqual([allowedNow(resting, now), allowedNow(resting, now + 60_000)], [0, 1]);
  const well = afterReport(resting, { ...nothing, ok: 12 }, { ...at, now: now + 60_000 });
  assert.deepEqual([well.failures, allowedNow(well, now + 60_000)], [0, 5]);
});
