import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isLocalDestination, localDestination, partitionOf } from '../../libs/delivery/partition.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { delivered, longMs, QueueOwner, type QueueUnderTest, rowOf, stateOf } from './deliveries-owner.ts';
import { until } from './partitions.ts';
import { allPartitions, enqueue, hourMs, makeMessage } from './spool-messages.ts';

const shortMs = 30;

/** What is due, and who gets it. */
export function claimCases(under: () => QueueUnderTest): void {
  const remote = (destination: string, change: object = {}) => ({ kind: 'remote', destination, ...change }) as const;
  const due = (destination: string, now: number, perDestination = 100) =>
    under().store.deliveries.due({ partitions: [partitionOf(destination)], now, perDestination, limit: 1000 });
  const idsDue = async (destination: string, now: number, perDestination = 100): Promise<string[]> =>
    (await due(destination, now, perDestination)).filter((row) => row.destination === destination).map((row) => row.id);

  /** After a test in which another owner had them. */
  async function takeBack(owner: QueueOwner, partitions: readonly number[]): Promise<void> {
    const leases = await until(() =>
      under().store.partitions.acquire({ owner: owner.name, partitions, leaseMs: longMs }),
    );
    owner.leases = [...owner.leases.filter((lease) => !partitions.includes(lease.partition)), ...leases];
  }

  it('what is due is offered in the order of priority and rank, whole, and at most so many for a destination', async () => {
    const { store } = under();
    const at = Date.now();
    const targets = [
      { priority: 2, rank: at },
      { priority: 1, rank: at + 5 },
      { priority: 1, rank: at + 1 },
      { priority: 0, rank: at + 9 },
    ];
    const message = makeMessage({ acceptedAt: at, to: targets.map((target) => remote('order.example', target)) });
    const ids = await enqueue(store.spool, message);
    const inOrder = [3, 2, 1, 0].map((n) => ids[n]);
    assert.deepEqual(await idsDue('order.example', at), inOrder);
    assert.deepEqual(await idsDue('order.example', at, 2), inOrder.slice(0, 2));
    const [first] = await due('order.example', at, 1);
    const { messageId, targets: accepted, sizeBytes, acceptedAt } = message;
    assert.deepEqual(first, {
      ...accepted[3],
      v: 1,
      id: ids[3],
      messageId,
      partition: partitionOf('order.example'),
      sender: 'sender@remote.example',
      sizeBytes,
      state: 'queued',
      attempts: 0,
      acceptedAt,
      updatedAt: first!.updatedAt,
    });
  });

  it('destinations that can’t go now are not read and take no part of the limit', async () => {
    const { store } = under();
    const at = Date.now();
    const names = ['except-a.example', 'except-b.example', 'except-c.example'];
    const to = names.flatMap((name) => [remote(name), remote(name)]);
    await enqueue(store.spool, makeMessage({ acceptedAt: at, to }));
    const partitions = names.map(partitionOf);
    const query = { partitions, now: at, perDestination: 9, limit: 2, destinations: 'remote' } as const;
    const found = await store.deliveries.due({ ...query, except: new Set([names[0]!, names[2]!]) });
    assert.deepEqual(
      found.map(({ destination }) => destination),
      [names[1], names[1]],
    );
    assert.deepEqual(await store.deliveries.due({ ...query, except: new Set(names) }), []);
  });

  it('a row is not due before its time, and the store says when the next one is', async () => {
    const { store } = under();
    const at = Date.now();
    const partitions = [partitionOf('later.example')];
    const [later = '', soon = ''] = await enqueue(
      store.spool,
      makeMessage({
        acceptedAt: at,
        to: [remote('later.example', { dueAt: at + 2 * hourMs }), remote('later.example', { dueAt: at + hourMs })],
      }),
    );
    assert.deepEqual(await idsDue('later.example', at), []);
    assert.equal(await store.deliveries.nextDueAt({ partitions, now: at }), at + hourMs);
    assert.deepEqual(await idsDue('later.example', at + hourMs), [soon]);
    assert.equal(await store.deliveries.nextDueAt({ partitions, now: at + hourMs }), at + 2 * hourMs);
    assert.deepEqual((await idsDue('later.example', at + 2 * hourMs)).sort(), [later, soon].sort());
    assert.equal(await store.deliveries.nextDueAt({ partitions, now: at + 2 * hourMs }), undefined);
    assert.deepEqual(await under().owner.claim([later], { now: at }), [], 'it can’t be claimed before its time either');
  });

  it('only the partitions that are asked for are looked at, and no more rows than the limit', async () => {
    const { store } = under();
    const at = Date.now();
    const [one, other] = ['here.example', 'elsewhere.example'];
    await enqueue(store.spool, makeMessage({ acceptedAt: at, to: [remote(one!), remote(one!), remote(other!)] }));
    const partitions = [partitionOf(one!)];
    const rows = await store.deliveries.due({ partitions, now: at, perDestination: 9, limit: 9 });
    assert.deepEqual([...new Set(rows.map((row) => row.destination))], [one]);
    const all = { partitions: allPartitions, now: at, perDestination: 9 };
    assert.equal((await store.deliveries.due({ ...all, limit: 2 })).length, 2);
    assert.deepEqual(await store.deliveries.due({ ...all, partitions: [], limit: 2 }), []);
  });

  it('local and remote destinations can be asked for apart: the others take no part of the limit', async () => {
    const { store } = under();
    const at = Date.now();
    // Names on both sides of `local:` in the order of an index.
    const names = Array.from({ length: 40 }, (_, n) => `${['aaa', 'local', 'zzz'][n % 3]}${n}.apart.example`);
    const locals = Array.from({ length: 40 }, () => ({}));
    const message = makeMessage({ acceptedAt: at, to: [...names.map((name) => remote(name)), ...locals] });
    const ids = await enqueue(store.spool, message);
    const apart = async (destinations: 'local' | 'remote', limit: number): Promise<string[]> => {
      const partitions = [...new Set(message.targets.map(({ destination }) => partitionOf(destination)))];
      const rows = await store.deliveries.due({ partitions, now: at, perDestination: 1000, limit, destinations });
      for (const row of rows) assert.equal(isLocalDestination(row.destination), destinations === 'local', row.id);
      return rows.map(({ id }) => id);
    };
    const isOurs = (id: string): boolean => ids.includes(id);
    assert.deepEqual((await apart('local', 1000)).filter(isOurs).sort(), ids.slice(40).sort());
    assert.deepEqual((await apart('remote', 1000)).filter(isOurs).sort(), ids.slice(0, 40).sort());
    assert.equal((await apart('local', 30)).length, 30);
  });

  it('of claimers at once each row goes to one', async () => {
    const { store, owner } = under();
    const ids = await enqueue(store.spool, makeMessage({ to: Array.from({ length: 30 }, () => ({})) }));
    const got = await Promise.all([1, 2, 3, 4, 5].map(() => owner.claim(ids)));
    assert.deepEqual(
      got
        .flat()
        .map((row) => row.id)
        .sort(),
      [...ids].sort(),
    );
    for (const row of got.flat()) assert.equal(row.state, 'leased');
    assert.deepEqual(await owner.claim(ids), [], 'and is not due any more');
  });

  it('a claim repeated under its token answers the same rows: the reply may have been lost', async () => {
    const { store, owner } = under();
    const ids = await enqueue(store.spool, makeMessage({ to: [{}, {}] }));
    const token = newId();
    const first = await owner.claim(ids, { token });
    const again = await owner.claim(ids, { token });
    assert.deepEqual(
      again.map((row) => [row.id, row.claim]),
      first.map((row) => [row.id, row.claim]),
    );
    assert.deepEqual(first[0]?.claim, { owner: 'owner', epoch: first[0]?.claim?.epoch, token });
  });

  it('without the lease of a row’s partition nothing of it is claimed; other partitions’ rows are', async () => {
    const { store, owner } = under();
    const at = Date.now();
    const [mine, lost] = ['a.example', 'b.example'] as const;
    const ids = await enqueue(store.spool, makeMessage({ acceptedAt: at, to: [remote(mine), remote(lost)] }));
    const stale = owner.leases.map((lease) =>
      lease.partition === partitionOf(lost) ? { ...lease, epoch: lease.epoch - 1 } : lease,
    );
    const rows = await new QueueOwner(store, owner.name, stale).claim(ids);
    assert.deepEqual(
      rows.map((row) => row.id),
      [ids[0]],
    );
    assert.deepEqual(await new QueueOwner(store, 'nobody', owner.leases).claim(ids), []);
    assert.equal(await stateOf(store, ids[1]!), 'queued');
  });

  it('an owner whose lease has ended claims nothing, also when nobody has taken the partition', async () => {
    const { store, owner } = under();
    const destination = 'ended.example';
    const partition = partitionOf(destination);
    const [id = ''] = await enqueue(store.spool, makeMessage({ to: [remote(destination)] }));
    const lease = owner.leases.filter((held) => held.partition === partition);
    await store.partitions.release({ owner: owner.name, leases: lease });
    const late = await QueueOwner.of(store, 'late', { partitions: [partition], leaseMs: 1 });
    const left = async () => (await store.partitions.list()).filter((held) => held.partition === partition);
    await until(async () => (await left()).filter(({ remainingMs }) => remainingMs <= 0));
    assert.deepEqual(await late.claim([id]), []);
    await takeBack(owner, [partition]);
    assert.equal((await owner.claim([id])).length, 1);
  });

  it('promise 5: a takeover between the claim’s look and its commit: never both', async () => {
    const { store, owner } = under();
    const destination = localDestination('takeover');
    const partitions = [partitionOf(destination)];
    for (let round = 0; round < 25; round++) {
      const [id = ''] = await enqueue(store.spool, makeMessage({ to: [{ destination }] }));
      await store.partitions.release({
        owner: owner.name,
        leases: owner.leases.filter((lease) => partitions.includes(lease.partition)),
      });
      const old = await QueueOwner.of(store, `old-${round}`, { partitions, leaseMs: 1 + (round % 5) });
      const takeOver = until(() => store.partitions.acquire({ owner: `new-${round}`, partitions, leaseMs: longMs }));
      const [claims, leases] = await Promise.all([claimUntilTaken(old, id, takeOver), takeOver]);
      const taker = new QueueOwner(store, `new-${round}`, leases);
      assert.deepEqual(await old.claim([id]), [], 'after the takeover the old owner gets nothing');
      // A claim that came first was made under the old lease; the new owner gets the row when it has ended that lease.
      const ended = () => store.deliveries.expireLeases({ partitions, now: Date.now(), limit: 100 });
      if (claims > 0) await until(async () => (await ended()).filter((row) => row.id === id));
      assert.equal((await taker.claim([id])).length, 1);
      await store.partitions.release({ owner: taker.name, leases });
    }
    await takeBack(owner, partitions);
  });

  it('a lease that runs out is ended by the store’s clock: the row waits again, as it was', async () => {
    const { store, owner } = under();
    const message = makeMessage();
    const { ids, rows } = await owner.leased(message, shortMs);
    const { partition } = rows[0]!;
    const query = { partitions: [partition], limit: 10 };
    const end = () => store.deliveries.expireLeases({ ...query, now: Date.now() });
    const ended = await until(async () => (await end()).filter((row) => row.id === ids[0]));
    assert.deepEqual(
      ended.map((row) => row.id),
      ids,
    );
    const row = await rowOf(store, ids[0]!);
    assert.deepEqual([row.state, row.dueAt, row.attempts, row.claim], ['queued', rows[0]!.dueAt, 0, undefined]);
    assert.deepEqual(await end(), []);
  });

  it('a lease that is renewed goes on; of others only the ids that still belong to the claim are answered', async () => {
    const { store, owner } = under();
    const { ids, claim } = await owner.leased(makeMessage({ to: [{}, {}] }), 2_000);
    await owner.record(ids[1]!, claim, delivered);
    assert.deepEqual(await store.deliveries.renew({ claim, ids, leaseMs: longMs }), [ids[0]]);
    assert.deepEqual(await store.deliveries.renew({ claim: { ...claim, token: newId() }, ids, leaseMs: longMs }), []);
    assert.equal(await stateOf(store, ids[0]!), 'leased');
  });

  it('local rows of an owner that has lost the partition are ended for the one that holds it', async () => {
    const { store, owner } = under();
    const destination = localDestination('orphan');
    const partitions = [partitionOf(destination)];
    const { ids } = await owner.leased(makeMessage({ to: [{ destination }] }));
    // Other tests leave leases in the partition.
    const end = async () => {
      const ended = await store.deliveries.expireLeases({ partitions, now: Date.now(), limit: 100 });
      return ended.map((row) => row.id).filter((id) => ids.includes(id));
    };
    assert.deepEqual(await end(), [], 'its holder is there');
    const mine = owner.leases.filter((lease) => partitions.includes(lease.partition));
    await store.partitions.release({ owner: owner.name, leases: mine });
    const taker = await QueueOwner.of(store, 'taker', { partitions });
    assert.deepEqual(await end(), ids);
    assert.equal((await taker.claim(ids)).length, 1);
    await store.partitions.release({ owner: 'taker', leases: taker.leases });
    await takeBack(owner, partitions);
  });

  it('rows for outside of an owner that has lost the partition keep their lease: their worker may be in the middle of the session', async () => {
    const { store, owner } = under();
    const destination = 'orphan.example';
    const partitions = [partitionOf(destination)];
    const { ids, claim } = await owner.leased(makeMessage({ to: [remote(destination), remote(destination)] }));
    const [sent = '', gone = ''] = ids;
    const mine = owner.leases.filter((lease) => partitions.includes(lease.partition));
    await store.partitions.release({ owner: owner.name, leases: mine });
    const taker = await QueueOwner.of(store, 'taker', { partitions });
    const end = () => store.deliveries.expireLeases({ partitions, now: Date.now(), limit: 10 });
    assert.deepEqual(await end(), []);
    assert.deepEqual(await taker.claim(ids), [], 'nobody else sends them');
    assert.deepEqual(await owner.record(sent, claim, delivered), { answer: 'recorded', state: 'delivered' });
    assert.deepEqual(await store.deliveries.renew({ claim, ids: [gone], leaseMs: shortMs }), [gone]);
    const ended = await until(async () => (await end()).map((row) => row.id));
    assert.deepEqual(ended, [gone], 'past its time it is the taker’s');
    assert.equal((await taker.claim([gone])).length, 1);
    await store.partitions.release({ owner: 'taker', leases: taker.leases });
    await takeBack(owner, partitions);
  });
}

/** Claims again and again while another takes the partition over; how many claims got the row (none or one, since it stays leased). */
async function claimUntilTaken(owner: QueueOwner, id: string, taken: Promise<unknown>): Promise<number> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  taken.then(end, end);
  let got = 0;
  while (!over) got += (await owner.claim([id])).length;
  assert.ok(got <= 1);
  return got;
}
