import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Acquired, Groups, Permit } from '../../libs/store/ports/groups.ts';
import { graceMs, grown, limits, longMs, newGroup, noon, type OpenGroups, shortMs } from './groups-fixture.ts';
import { until } from './partitions.ts';

interface Ask {
  groups: Groups;
  holder?: string;
  want?: number;
  leaseMs?: number;
  connections?: number;
}

export function permitCases(store: () => OpenGroups): void {
  const ask = (
    group: string,
    { groups, holder = 'a', want = 1, leaseMs = longMs, connections = 3 }: Ask,
  ): Promise<Acquired> => groups.acquire({ group, holder, want, leaseMs, limits: limits({ connections }), now: noon });
  const release = async (permits: readonly Permit[]): Promise<void> => {
    const answers = await store().groups.release(permits);
    assert.deepEqual(
      answers,
      permits.map(() => 'released'),
    );
  };

  it('gives what there is room for, and says what is in use and why there is no more', async () => {
    const { groups, other } = store();
    const group = newGroup();
    const first = await ask(group, { groups, want: 2 });
    assert.deepEqual([first.permits.length, first.inUse, first.allowed, first.short], [2, 2, 3, undefined]);
    assert.deepEqual(first.limits, limits({ connections: 3 }));
    const second = await ask(group, { groups: other, holder: 'b', want: 5 });
    assert.deepEqual([second.permits.length, second.inUse, second.short], [1, 3, { why: 'full' }]);
    const third = await ask(group, { groups });
    assert.deepEqual([third.permits, third.inUse], [[], 3]);
    assert.deepEqual((await ask(newGroup(), { groups, want: 0 })).permits, []);
  });

  it('twenty that ask at the same time never have more than the limit between them', async () => {
    const { groups, other } = store();
    const group = newGroup();
    await grown(groups, group, 7);
    let held = 0;
    let most = 0;
    let given = 0;
    const seen = new Set<string>();
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        for (let round = 0; round < 6; round += 1) {
          const by = n % 2 === 0 ? groups : other;
          const { permits, inUse } = await ask(group, {
            groups: by,
            holder: `h${n}`,
            want: 1 + (n % 3),
            connections: 7,
          });
          held += permits.length;
          given += permits.length;
          most = Math.max(most, held, inUse);
          for (const { id } of permits) seen.add(id);
          await new Promise((resolve) => setImmediate(resolve));
          held -= permits.length;
          await by.release(permits);
        }
      }),
    );
    assert.equal(most, 7);
    assert.equal(seen.size, given);
    assert.equal((await groups.groups([group])).get(group)?.inUse, 0);
  });

  it('what a holder that died had counts until the grace after its lease has ended, and not a moment less', async () => {
    const { groups, other } = store();
    const group = newGroup();
    const begun = performance.now();
    const dead = await ask(group, { groups, want: 3, leaseMs: shortMs });
    const [next] = await until(async () => (await ask(group, { groups: other, holder: 'b' })).permits);
    assert.ok(performance.now() - begun >= shortMs + graceMs - 2, 'it was given too early');
    assert.ok(!dead.permits.some(({ id }) => id === next!.id));
    assert.deepEqual(await groups.renew({ holder: 'a', permits: dead.permits, leaseMs: longMs }), []);
    assert.deepEqual(await groups.release(dead.permits), ['gone', 'gone', 'gone']);
    assert.equal((await groups.groups([group])).get(group)?.inUse, 1);
  });

  it('a renewal lengthens the leases, also in the grace, also repeated', async () => {
    const { groups, other } = store();
    const [one, two] = [newGroup(), newGroup()];
    const permits = [
      ...(await ask(one, { groups, want: 2, leaseMs: shortMs })).permits,
      ...(await ask(two, { groups, leaseMs: shortMs })).permits,
    ];
    await new Promise((resolve) => setTimeout(resolve, shortMs + 10));
    for (let n = 0; n < 2; n += 1) {
      assert.deepEqual(await other.renew({ holder: 'a', permits, leaseMs: longMs }), permits);
    }
    await new Promise((resolve) => setTimeout(resolve, graceMs + shortMs));
    assert.equal((await ask(one, { groups, want: 3 })).permits.length, 1);
  });

  it('nobody renews another’s permit, one of another group, one that was returned or one that never was', async () => {
    const { groups } = store();
    const group = newGroup();
    const { permits } = await ask(group, { groups, want: 2 });
    const [kept, returned] = [permits[0]!, permits[1]!];
    await release([returned]);
    const foreign = { group: newGroup(), id: kept.id };
    const made = { group, id: 'made up' };
    assert.deepEqual(await groups.renew({ holder: 'b', permits: [kept], leaseMs: longMs }), []);
    assert.deepEqual(await groups.renew({ holder: 'a', permits: [], leaseMs: longMs }), []);
    const renewed = await groups.renew({ holder: 'a', permits: [returned, foreign, made, kept], leaseMs: longMs });
    assert.deepEqual(renewed, [kept]);
    assert.deepEqual(await groups.release([foreign, made, kept]), ['gone', 'gone', 'released']);
  });

  it('what is returned is free at once, and returning it again frees nothing', async () => {
    const { groups, other } = store();
    const group = newGroup();
    const { permits } = await ask(group, { groups, want: 3 });
    await release(permits.slice(0, 1));
    const [next] = (await ask(group, { groups: other, holder: 'b' })).permits;
    const unknown = { group: newGroup(), id: 'x' };
    assert.deepEqual(await groups.release([permits[0]!, unknown, permits[1]!]), ['gone', 'gone', 'released']);
    assert.deepEqual(await groups.release([]), []);
    assert.deepEqual(await groups.renew({ holder: 'b', permits: [next!], leaseMs: longMs }), [next]);
  });

  it('a limit below what is in use throws nobody out, and gives nothing until there is room', async () => {
    const { groups } = store();
    const group = newGroup();
    const { permits } = await ask(group, { groups, want: 4, connections: 4 });
    await groups.setLimits(group, { connections: 2 }, noon);
    const lower = await ask(group, { groups, connections: 4 });
    assert.deepEqual([lower.permits, lower.inUse, lower.allowed, lower.limits.connections], [[], 4, 2, 2]);
    assert.deepEqual(await groups.renew({ holder: 'a', permits, leaseMs: longMs }), permits);
    await release(permits.slice(0, 2));
    assert.deepEqual((await ask(group, { groups })).permits, []);
    await release(permits.slice(2, 3));
    assert.equal((await ask(group, { groups, want: 5 })).permits.length, 1);
  });

  it('a thousand permits in one group', async () => {
    const { groups } = store();
    const group = newGroup();
    await groups.report({
      group,
      limits: limits({ connections: 1_000 }),
      ok: 1_000_000,
      failed: 0,
      unreachable: 0,
      now: noon,
    });
    const { permits } = await ask(group, { groups, want: 5_000, connections: 1_000 });
    assert.equal(permits.length, 1_000);
    assert.equal((await groups.renew({ holder: 'a', permits, leaseMs: longMs })).length, 1_000);
    await release(permits);
  });
}
