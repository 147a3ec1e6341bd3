import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { PartitionLease, Partitions } from '../../libs/store/ports/partitions.ts';
import { allPartitions, type OpenQueue } from './spool-messages.ts';

/** Long enough not to end during a test, short enough to be waited for. */
const longMs = 60_000;
const shortMs = 30;

/** What each adapter of Partitions keeps. `open` gives an empty store. */
export function partitionsContract(name: string, open: () => Promise<OpenQueue>): void {
  describe(`partitions contract: ${name}`, () => {
    let store: OpenQueue;
    let partitions: Partitions;
    before(async () => {
      store = await open();
      partitions = store.partitions;
    });
    after(() => store.close());

    const acquire = (owner: string, wanted: readonly number[], leaseMs = longMs) =>
      partitions.acquire({ owner, partitions: wanted, leaseMs });
    const at = async (partition: number) => (await partitions.list()).find((entry) => entry.partition === partition)!;

    it('all 256 are listed; free ones have no time left', async () => {
      const list = await partitions.list();
      assert.deepEqual(
        list.map(({ partition }) => partition).sort((a, b) => a - b),
        allPartitions,
      );
      for (const entry of list) assert.ok(entry.remainingMs <= 0);
    });

    it('what is free is got, what another holds is not', async () => {
      assert.deepEqual(numbers(await acquire('a', [1, 2])), [1, 2]);
      assert.deepEqual(numbers(await acquire('b', [1, 2, 3])), [3]);
      const held = await at(1);
      assert.equal(held.owner, 'a');
      assert.ok(held.remainingMs > 0 && held.remainingMs <= longMs);
    });

    it('of owners that ask at once, each partition goes to one', async () => {
      const wanted = Array.from({ length: 40 }, (_, n) => 100 + n);
      const got = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => acquire(owner, wanted)));
      assert.deepEqual(numbers(got.flat()), wanted);
    });

    it('a repeated request takes nothing twice, and the list says who holds it: the reply may have been lost', async () => {
      const [lease] = await acquire('a', [10]);
      assert.deepEqual(await acquire('a', [10]), []);
      const { owner, epoch } = await at(10);
      assert.deepEqual({ owner, epoch }, { owner: 'a', epoch: lease?.epoch });
    });

    it('renewal lengthens what is still ours, repeated or not', async () => {
      const leases = await acquire('a', [20, 21], shortMs);
      const request = { owner: 'a', leases: [...leases, { partition: 22, epoch: 1 }], leaseMs: longMs };
      assert.deepEqual(sorted(await partitions.renew(request)), sorted(leases));
      assert.deepEqual(sorted(await partitions.renew(request)), sorted(leases));
      assert.ok((await at(20)).remainingMs > shortMs);
    });

    it('a lease that has ended is taken over with a higher epoch, and its holder is told at the renewal', async () => {
      const old = await acquire('a', [30], shortMs);
      const [taken] = await until(() => acquire('b', [30]));
      assert.ok(taken!.epoch > old[0]!.epoch);
      assert.deepEqual(await partitions.renew({ owner: 'a', leases: old, leaseMs: longMs }), []);
      assert.equal((await at(30)).owner, 'b');
    });

    it('a lease that has ended and that nobody took may be renewed', async () => {
      const leases = await acquire('a', [40], shortMs);
      await until(async () => ((await at(40)).remainingMs <= 0 ? [true] : []));
      assert.deepEqual(await partitions.renew({ owner: 'a', leases, leaseMs: longMs }), leases);
      assert.deepEqual(await acquire('b', [40]), []);
    });

    it('what is given back is free at once; an old lease gives nothing back', async () => {
      const old = await acquire('a', [50]);
      await partitions.release({ owner: 'a', leases: old });
      await partitions.release({ owner: 'a', leases: old });
      const [lease] = await acquire('b', [50]);
      assert.ok(lease!.epoch > old[0]!.epoch);
      await partitions.release({ owner: 'a', leases: old });
      await partitions.release({ owner: 'b', leases: [{ partition: 50, epoch: lease!.epoch - 1 }] });
      assert.equal((await at(50)).owner, 'b');
    });

    it('epochs only grow, whoever acquires and gives back', async () => {
      let last = 0;
      for (const owner of ['a', 'b', 'a', 'c', 'c']) {
        const leases = await acquire(owner, [60]);
        assert.ok(leases[0]!.epoch > last);
        last = leases[0]!.epoch;
        await partitions.release({ owner, leases });
      }
    });

    it('announced owners are known until their time ends', async () => {
      assert.deepEqual(await partitions.announce({ owner: 'x', leaseMs: longMs }), ['x']);
      await partitions.announce({ owner: 'y', leaseMs: shortMs });
      const gone = async (): Promise<readonly string[]> => {
        const live = await partitions.announce({ owner: 'x', leaseMs: longMs });
        return live.includes('y') ? [] : live;
      };
      assert.deepEqual(await until(gone), ['x']);
    });
  });
}

const numbers = (leases: readonly PartitionLease[]): number[] =>
  leases.map(({ partition }) => partition).sort((a, b) => a - b);

const sorted = (leases: readonly PartitionLease[]): PartitionLease[] =>
  leases.map(({ partition, epoch }) => ({ partition, epoch })).sort((a, b) => a.partition - b.partition);

/** Asks again until the answer isn't empty: a lease ends by the store's clock. */
export async function until<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  const giveUp = performance.now() + 10_000;
  while (true) {
    const answer = await ask();
    if (answer.length > 0) return answer;
    assert.ok(performance.now() < giveUp, 'it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
