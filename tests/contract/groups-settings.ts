import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Refused } from '../../libs/store/errors.ts';
import { graceMs, limits, longMs, newGroup, noon, type OpenGroups, shortMs } from './groups-fixture.ts';
import { until } from './partitions.ts';

const dayMs = 24 * 3_600_000;

/** What a store must neither read as its own language nor change. */
const hostileNames = [
  '$where',
  '$$NOW',
  'a.b.$c',
  '__proto__',
  'x\0y',
  "'; DROP TABLE mx_groups; --",
  '{"$gt":""}',
  '\u{1f4ee}.example',
  '[2001:db8::1]:25',
  'n'.repeat(300),
];

export function settingCases(store: () => OpenGroups): void {
  const acquire = (group: string, holder = 'a', leaseMs = longMs) =>
    store().other.acquire({ group, holder, want: 2, leaseMs, limits: limits(), now: noon });
  const standingOf = async (group: string) => (await store().groups.groups([group])).get(group);

  it('a paused group gives nothing and says so, what is in use goes on; resumed it gives again, its own pause ended too', async () => {
    const { groups } = store();
    const group = newGroup();
    const { permits } = await acquire(group);
    await groups.pause({ group }, { actor: 'admin', now: noon });
    const none = await acquire(group);
    assert.deepEqual([none.permits, none.allowed, none.inUse, none.short], [[], 0, 2, { why: 'paused' }]);
    assert.equal((await groups.renew({ holder: 'a', permits, leaseMs: longMs })).length, 2);
    await groups.report({ group, limits: limits(), ok: 0, failed: 0, unreachable: 1, now: noon });
    const standing = await standingOf(group);
    assert.deepEqual(standing?.paused, { actor: 'admin', at: noon });
    assert.equal(standing.resting?.failures, 1);
    await groups.release(permits);
    await groups.resume({ group }, noon);
    assert.deepEqual(await standingOf(group), { group, inUse: 0, allowed: 1, resting: null, paused: null, limits: {} });
    assert.equal((await acquire(group)).permits.length, 1);
  });

  it('a destination is paused on its own, whatever its group’s name', async () => {
    const { groups } = store();
    const name = newGroup();
    await groups.routed([{ destination: name, group: name }], noon);
    await groups.pause({ destination: name }, { actor: 'admin', now: noon });
    const group = { group: name, inUse: 0, allowed: 5, resting: null, paused: null, limits: {} };
    const paused = { actor: 'admin', at: noon };
    assert.deepEqual((await groups.standing([name, 'nothing.example'])).get(name), {
      destination: name,
      group,
      paused,
    });
    assert.equal((await acquire(name)).permits.length, 2);
    await groups.resume({ destination: name }, noon);
    assert.equal((await groups.standing([name])).get(name)?.paused, null);
    assert.equal((await groups.standing([name])).get(name)?.group?.inUse, 2);
  });

  it('a destination that was never routed may be paused; its group is the one that it had last', async () => {
    const { groups } = store();
    const destination = newGroup();
    await groups.pause({ destination }, { actor: 'admin', now: noon });
    assert.equal((await groups.standing([destination])).get(destination)?.group, null);
    await groups.routed([{ destination, group: 'one.example' }], noon);
    await groups.routed([{ destination, group: 'two.example' }], noon);
    const standing = (await groups.standing([destination])).get(destination);
    assert.deepEqual([standing?.group?.group, standing?.paused?.actor], ['two.example', 'admin']);
  });

  it('an operator’s limits go before the configured ones, one by one, until they are taken back', async () => {
    const { groups } = store();
    const group = newGroup();
    await groups.setLimits(group, { connections: 1, perConnection: 7 }, noon);
    const [first] = (await acquire(group)).permits;
    await groups.setLimits(group, { perSecond: 3, perConnection: null }, noon);
    assert.deepEqual((await standingOf(group))?.limits, { connections: 1, perSecond: 3 });
    assert.deepEqual((await acquire(group)).limits, limits({ connections: 1, perSecond: 3 }));
    await groups.setLimits(group, {}, noon);
    await groups.setLimits(group, null, noon);
    assert.deepEqual((await standingOf(group))?.limits, {});
    await groups.release([first!]);
    assert.equal((await acquire(group)).permits.length, 2);
    for (const wrong of [
      { connections: 0 },
      { connections: 1_001 },
      { perConnection: 0 },
      { perSecond: -1 },
      { perSecond: 0.5 },
    ]) {
      await assert.rejects(groups.setLimits(group, wrong, noon), RangeError);
    }
  });

  it('names are listed in order, in pages, by what they begin with', async () => {
    const { groups } = store();
    const prefix = `list-${newGroup()}-`;
    const names = ['a', 'b$', 'b.c', 'bé', 'b\u{1f4ee}'].map((rest) => prefix + rest);
    await groups.routed(
      [...names, `list`].map((destination) => ({ destination, group: destination })),
      noon,
    );
    for (const group of names) await groups.setLimits(group, { perSecond: 1 }, noon);
    for (const list of [
      async (page: { limit: number; cursor?: string }) =>
        (await groups.list({ prefix, ...page })).map(({ destination }) => destination),
      async (page: { limit: number; cursor?: string }) =>
        (await groups.listGroups({ prefix, ...page })).map(({ group }) => group),
    ]) {
      assert.deepEqual(await list({ limit: 10 }), names);
      assert.deepEqual(await list({ limit: 2, cursor: names[0]! }), names.slice(1, 3));
      assert.deepEqual(await list({ limit: 2, cursor: names[4]! }), []);
    }
    assert.ok((await groups.list({ limit: 3 })).length > 0);
    assert.equal((await groups.list({ prefix: `${prefix}b`, limit: 10 })).length, 4);
  });

  it('names are only names, whatever they look like, and end somewhere', async () => {
    const { groups } = store();
    for (const name of hostileNames) {
      const { permits } = await acquire(name, name);
      assert.equal(permits.length, 2, name);
      assert.deepEqual(await groups.renew({ holder: name, permits, leaseMs: longMs }), permits);
      await groups.pause({ group: name }, { actor: name, now: noon });
      await groups.pause({ destination: name }, { actor: name, now: noon });
      await groups.routed([{ destination: name, group: name }], noon);
      const standing = (await groups.standing([name])).get(name);
      assert.deepEqual(
        [standing?.destination, standing?.group?.group, standing?.paused?.actor, standing?.group?.paused?.actor],
        [name, name, name, name],
      );
      assert.deepEqual(await groups.release(permits), ['released', 'released']);
      const made = { group: name, id: name };
      assert.deepEqual(await groups.release([made]), ['gone']);
      assert.deepEqual(await groups.renew({ holder: name, permits: [made], leaseMs: longMs }), []);
    }
    const refused = (error: unknown): boolean => error instanceof Refused && error.rule === 'longName';
    for (const name of ['', 'n'.repeat(301), '\u{1f4ee}'.repeat(76)]) {
      await assert.rejects(acquire(name), refused);
      await assert.rejects(acquire('a.example', name), refused);
      await assert.rejects(groups.setLimits(name, null, noon), refused);
      await assert.rejects(groups.pause({ destination: name }, { actor: 'admin', now: noon }), refused);
      await assert.rejects(groups.routed([{ destination: 'a.example', group: name }], noon), refused);
      assert.equal((await groups.standing([name])).size, 0);
      await groups.resume({ group: name }, noon);
    }
  });

  it('what nobody uses is forgotten after a while, but never a permit or what an operator has set', async () => {
    const { groups } = store();
    const prefix = `purge-${newGroup()}-`;
    const [idle, held, paused, limited, used] = ['idle', 'held', 'paused', 'limited', 'used'].map(
      (rest) => prefix + rest,
    );
    const all = [idle!, held!, paused!, limited!, used!];
    await groups.routed(
      all.map((destination) => ({ destination, group: destination })),
      noon,
    );
    await groups.pause({ destination: paused! }, { actor: 'admin', now: noon });
    await groups.report({ group: idle!, limits: limits(), ok: 1, failed: 0, unreachable: 0, now: noon });
    await acquire(held!);
    await groups.pause({ group: paused! }, { actor: 'admin', now: noon });
    await groups.setLimits(limited!, { perSecond: 1 }, noon);
    await groups.takeTokens({ group: used!, want: 1, limits: limits(), now: noon + 2 * dayMs });
    await groups.routed([{ destination: used!, group: used! }], noon + 2 * dayMs);
    const purge = async (): Promise<void> => {
      while ((await groups.purge({ before: noon + dayMs, limit: 3 })) > 0);
    };
    await purge();
    assert.deepEqual(
      (await groups.listGroups({ prefix, limit: 10 })).map(({ group }) => group),
      [held, limited, paused, used],
    );
    assert.deepEqual(
      (await groups.list({ prefix, limit: 10 })).map(({ destination }) => destination),
      [paused, used],
    );
    await groups.setLimits(limited!, { perSecond: null }, noon);
    await groups.resume({ group: paused! }, noon);
    await purge();
    assert.deepEqual(
      (await groups.listGroups({ prefix, limit: 10 })).map(({ group }) => group),
      [held, used],
    );
  });

  it('a group whose permits have all run out is forgotten too', async () => {
    const { groups } = store();
    const group = newGroup();
    await acquire(group, 'a', shortMs);
    const begun = performance.now();
    await until(async () => {
      await groups.purge({ before: noon + dayMs, limit: 1_000 });
      return (await standingOf(group)) === undefined ? [true] : [];
    });
    assert.ok(performance.now() - begun >= shortMs + graceMs - 20);
  });
}
