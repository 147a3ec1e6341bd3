import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isStoreTrouble, OutcomeUnknown, Refused } from '../../libs/store/errors.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import type { Permit } from '../../libs/store/ports/groups.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { MongoLink, type MongoRequest } from '../support/mongo-link.ts';
import { watchedStores } from '../support/mongo-wire.ts';
import { groupsContract } from './groups.ts';
import { graceMs, grown, limits, longMs, newGroup, noon, shortMs } from './groups-fixture.ts';

const mongo = await mongoForFile({ members: 3, own: true });

if (mongo.skip === false) {
  const { url } = mongo.backend;
  const openStore = watchedStores();
  groupsContract('MongoDB', async (options) => {
    const database = freshDatabase();
    const store = await openStore({ url, database, groups: options });
    const second = await openStore({ url, database, groups: options });
    const close = async () => {
      await store.close();
      await second.close();
    };
    return { groups: store.groups, other: second.groups, close };
  });
}

describe('limits of destinations in MongoDB, when replies are lost', { skip: mongo.skip }, () => {
  let link: MongoLink;
  /** Over the link; `other` is another process with a good connection. */
  let store: MongoStore;
  let other: MongoStore;
  before(async () => {
    const database = freshDatabase();
    const groups = { permitGraceMs: graceMs };
    other = await openMongoStore({ url: mongo.backend?.url ?? '', database, groups });
    link = await MongoLink.to((await mongo.backend!.primary()).host);
    store = await openMongoStore({ url: link.url, database, groups });
  });
  after(async () => {
    link.heal();
    await store.close();
    await other.close();
    await link.close();
  });

  const request =
    (command: string) =>
    (seen: MongoRequest): boolean =>
      seen.command === command && ['groups', 'destinations'].includes(seen.collection);
  const inUse = async (group: string) => (await other.groups.groups([group])).get(group)?.inUse;
  const asked = (group: string, leaseMs = longMs) => ({
    group,
    holder: 'a',
    want: 3,
    leaseMs,
    limits: limits(),
    now: noon,
  });

  it('permits whose reply is lost are given once, and told', async () => {
    const group = newGroup();
    link.loseReplies(1, request('findAndModify'));
    const first = await store.groups.acquire(asked(group));
    assert.deepEqual([first.permits.length, first.inUse, await inUse(group)], [3, 3, 3]);
    link.loseReplies(1, request('findAndModify'));
    const second = await store.groups.acquire(asked(group));
    assert.deepEqual([second.permits.length, second.inUse, await inUse(group)], [2, 5, 5]);
    assert.equal(new Set([...first.permits, ...second.permits].map(({ id }) => id)).size, 5);
  });

  it('permits that nobody ever heard of are free after the grace', async () => {
    const group = newGroup();
    link.loseReplies(2, request('findAndModify'));
    await assert.rejects(store.groups.acquire(asked(group, shortMs)), OutcomeUnknown);
    assert.equal(await inUse(group), 3);
    while ((await inUse(group)) !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it('renewals and returns whose reply is lost are told as what they did', async () => {
    const group = newGroup();
    const { permits } = await store.groups.acquire(asked(group, shortMs));
    link.loseReplies(1, request('update'));
    assert.deepEqual(await store.groups.renew({ holder: 'a', permits, leaseMs: longMs }), permits);
    link.loseReplies(1, request('findAndModify'));
    assert.deepEqual(await store.groups.release(permits.slice(0, 2)), ['released', 'released']);
    link.loseReplies(2, request('findAndModify'));
    await assert.rejects(store.groups.release(permits.slice(2)), OutcomeUnknown);
    assert.deepEqual(await store.groups.release(permits.slice(2)), ['gone']);
    assert.equal(await inUse(group), 0);
  });

  it('tokens whose reply is lost are taken once; what is reported, set and routed happens once', async () => {
    const group = newGroup();
    const rate = { group, want: 6, limits: limits({ perSecond: 10 }), now: noon };
    link.loseReplies(1, request('findAndModify'));
    assert.equal((await store.groups.takeTokens(rate)).got, 6);
    const rest = (await other.groups.takeTokens(rate)).got;
    assert.ok(rest >= 4, String(rest));
    link.loseReplies(1, request('findAndModify'));
    const report = { group, limits: limits(), ok: 12, failed: 0, unreachable: 0, now: noon };
    assert.equal((await store.groups.report(report)).allowed, 7);
    link.loseReplies(1, request('findAndModify'));
    await store.groups.setLimits(group, { perSecond: 9 }, noon);
    link.loseReplies(1, request('update'));
    await store.groups.routed([{ destination: group, group }], noon);
    const standing = (await other.groups.standing([group])).get(group);
    assert.deepEqual(standing?.group?.limits, { perSecond: 9 });
  });

  it('a group that many use for the first time at once has one row', async () => {
    for (let n = 0; n < 5; n += 1) {
      const group = newGroup();
      const all = await Promise.all(
        Array.from({ length: 10 }, (_, k) =>
          (k % 2 === 0 ? store : other).groups.acquire({ ...asked(group), want: 1 }),
        ),
      );
      assert.equal(all.flatMap(({ permits }) => permits).length, 5);
      await Promise.all([store, other].map(({ groups }) => groups.routed([{ destination: group, group }], noon)));
    }
  });

  it('the row of a newer release is left alone, and who asks for it is told', async () => {
    const group = newGroup();
    await other.groups.acquire(asked(group));
    await other.groups.routed([{ destination: group, group }], noon);
    await other.database.groups.updateOne({ _id: group }, { $set: { v: 9 } });
    await other.database.destinations.updateOne({ _id: group }, { $set: { v: 9 } });
    const left = await other.database.groups.findOne({ _id: group });
    const refused = (error: unknown): boolean => error instanceof Refused && error.rule === 'newerDocument';
    await assert.rejects(store.groups.acquire(asked(group)), refused);
    await assert.rejects(store.groups.setLimits(group, { connections: 1 }, noon), refused);
    await store.groups.routed([{ destination: group, group: 'other.example' }], noon + 9_000_000);
    await store.groups.purge({ before: noon + 1e10, limit: 100 });
    assert.deepEqual(await store.groups.listGroups({ prefix: group, limit: 10 }), []);
    assert.deepEqual(await store.groups.list({ prefix: group, limit: 10 }), []);
    assert.deepEqual(await other.database.groups.findOne({ _id: group }), left);
    assert.equal((await other.database.destinations.findOne({ _id: group }))?.group, group);
  });
});

it('in MongoDB a primary that steps down under load costs no permit that was told of, and lets nobody past the limit', {
  skip: mongo.skip,
}, async (t) => {
  const store = await openMongoStore({ url: mongo.backend?.url ?? '', database: freshDatabase() });
  t.after(() => store.close());
  const { groups, database } = store;
  const group = newGroup();
  await grown(groups, group, 6);
  const persistent = async <T>(work: () => Promise<T>): Promise<T> => {
    const giveUpAt = performance.now() + 60_000;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isStoreTrouble(error) || performance.now() > giveUpAt) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const held = new Map<string, Permit>();
  let [most, done, enough] = [0, 0, Number.POSITIVE_INFINITY];
  const callers = Array.from({ length: 6 }, async (_, n) => {
    while (done < enough) {
      const request = {
        group,
        holder: `h${n}`,
        want: 2,
        leaseMs: longMs,
        limits: limits({ connections: 6 }),
        now: noon,
      };
      // An answer that never came leaves its permits in use: fewer are left, never more.
      const { permits } = await persistent(() => groups.acquire(request));
      for (const permit of permits) held.set(permit.id, permit);
      most = Math.max(most, held.size);
      const renewed = await persistent(() => groups.renew({ holder: `h${n}`, permits, leaseMs: longMs }));
      assert.deepEqual(renewed, permits);
      for (const { id } of permits) held.delete(id);
      await persistent(() => groups.release(permits));
      done += 1;
    }
  });
  const all = Promise.all(callers);
  all.catch(() => undefined);
  while (done < 12) await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 10))]);
  await database.client
    .db('admin')
    .command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5 })
    .catch(() => undefined);
  enough = done + 24;
  await all;
  assert.ok(most > 0 && most <= 6, String(most));
});
