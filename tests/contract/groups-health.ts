import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { afterReport, type HealthReport, newHealth } from '../../libs/delivery/limits/health.ts';
import { limits, longMs, newGroup, noon, type OpenGroups } from './groups-fixture.ts';

const minuteMs = 60_000;

export function healthCases(store: () => OpenGroups): void {
  const report = (group: string, some: Partial<HealthReport>, now = noon) =>
    store().groups.report({
      group,
      limits: limits({ connections: 20 }),
      ok: 0,
      failed: 0,
      unreachable: 0,
      ...some,
      now,
    });
  const acquire = (group: string, now: number, want = 50) =>
    store().other.acquire({ group, holder: 'a', want, leaseMs: longMs, limits: limits({ connections: 20 }), now });

  it('a group begins with few connections, gets more with success, up to its limit, and fewer with failure, down to one', async () => {
    const group = newGroup();
    assert.equal((await acquire(group, noon)).permits.length, 5);
    assert.equal((await report(group, { ok: 12 })).allowed, 7);
    assert.equal((await acquire(group, noon)).permits.length, 2);
    assert.equal((await report(group, { ok: 10_000 })).allowed, 20);
    assert.equal((await report(group, { failed: 20 })).allowed, 10);
    assert.deepEqual(await report(group, { failed: 1_000 }), { allowed: 1, resting: null });
    assert.deepEqual((await acquire(group, noon)).short, { why: 'full' });
  });

  it('one that can’t be reached at all is left alone, longer each time, and then tried with one connection until a success', async () => {
    const group = newGroup();
    const pauses = [1, 2, 4, 8, 16, 30, 30].map((minutes) => minutes * minuteMs * 1.05);
    let now = noon;
    for (const [n, pauseMs] of pauses.entries()) {
      assert.deepEqual((await report(group, { unreachable: 1 }, now)).resting, {
        until: now + pauseMs,
        failures: n + 1,
      });
      const none = await acquire(group, now + pauseMs - 1);
      assert.deepEqual([none.permits, none.allowed, none.short], [[], 0, { why: 'resting', retryInMs: 1 }]);
      // Attempts of the same outage that end late.
      assert.equal((await report(group, { unreachable: 5 }, now + 10)).resting?.failures, n + 1);
      now += pauseMs;
      const probe = await acquire(group, now);
      assert.deepEqual([probe.permits.length, probe.allowed, probe.short], [1, 1, { why: 'full' }]);
      assert.deepEqual((await acquire(group, now)).permits, []);
      await store().groups.release(probe.permits);
    }
    assert.equal((await report(group, { failed: 1 }, now)).resting?.failures, pauses.length);
    assert.equal((await acquire(group, now)).permits.length, 1);
    assert.deepEqual(await report(group, { ok: 4 }, now), { allowed: 3, resting: null });
    assert.equal((await acquire(group, now)).permits.length, 2);
  });

  it('one that took mail a moment ago is left alone only when several connections in a row fail', async () => {
    const group = newGroup();
    await report(group, { ok: 1 });
    assert.equal((await report(group, { unreachable: 2 }, noon + 5_000)).resting, null);
    await report(group, { ok: 1 }, noon + 5_001);
    assert.equal((await report(group, { unreachable: 2 }, noon + 5_002)).resting, null);
    assert.equal((await report(group, { unreachable: 1 }, noon + 5_003)).resting?.failures, 1);
  });

  it('permits in use outlast the pause, and count against the one that is given after it', async () => {
    const group = newGroup();
    const { permits } = await acquire(group, noon, 2);
    await report(group, { unreachable: 1 });
    assert.equal((await store().groups.renew({ holder: 'a', permits, leaseMs: longMs })).length, 2);
    const later = noon + 2 * minuteMs;
    assert.deepEqual((await acquire(group, later)).permits, []);
    await store().groups.release(permits);
    assert.equal((await acquire(group, later)).permits.length, 1);
  });

  it('whatever is reported in whatever order, a group stands as the one function says that has the rules', async () => {
    const count = fc.oneof(fc.constant(0), fc.nat({ max: 4 }), fc.constant(40));
    const step = fc.record({
      ok: fc.oneof(fc.constant(0), count),
      failed: count,
      unreachable: count,
      afterMs: fc.constantFrom(0, 3_000, 11_000, 70_000, 4_000_000),
      connections: fc.constantFrom(1, 3, 20),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const group = newGroup();
        let now = noon;
        let health = newHealth;
        for (const { afterMs, connections, ...counts } of steps) {
          now += afterMs;
          health = afterReport(health, counts, { limit: connections, now, jitter: 0.5 });
          const answer = await store().groups.report({ group, limits: limits({ connections }), ...counts, now });
          const { failures, pausedUntil, allowed = 5 } = health;
          const resting = failures === 0 ? null : { until: pausedUntil, failures };
          assert.deepEqual(answer, { allowed: Math.floor(allowed), resting });
        }
      }),
      { numRuns: 40, seed: 11 },
    );
  });
}
