import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../libs/runtime/clock.ts';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import type { Partitions } from '../../libs/store/ports/partitions.ts';
import { openSqliteStore } from '../../libs/store/sqlite/open.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { until } from '../support/until.ts';
import { evenSizes, Owners } from './owner-round.ts';

const mongo = await mongoForFile();

/** Rounds of all owners, in the order given, on a clock that moves by a third of a lease from one to the next. */
class Rounds {
  readonly #owners: Owners;
  #skippedMs = 0;
  #changed = false;

  constructor(partitions: Partitions, leaseMs: number) {
    const clock = { ...systemClock, monotonicMs: () => performance.now() + this.#skippedMs };
    const onChanged = (): void => {
      this.#changed = true;
    };
    this.#owners = new Owners({ partitions, leaseMs, clock, onChanged });
    this.round = async (order) => {
      this.#skippedMs += leaseMs / 3;
      do {
        this.#changed = false;
        for (const n of order) await [...this.#owners.live.values()].at(n % this.#owners.live.size)?.round();
      } while (this.#changed);
    };
  }

  readonly round: (order: readonly number[]) => Promise<void>;

  get live(): number {
    return this.#owners.live.size;
  }

  sizes(): number[] {
    return this.#owners.sizes();
  }

  join(name: string): void {
    this.#owners.add(name);
  }

  async leave(n: number): Promise<void> {
    const [name, ownership] = [...this.#owners.live].at(n % this.live) ?? [];
    if (name === undefined || ownership === undefined) return;
    this.#owners.live.delete(name);
    await ownership.stop();
  }
}

const steps = fc.array(
  fc.record({
    joins: fc.nat({ max: 4 }),
    leaves: fc.array(fc.nat({ max: 11 }), { maxLength: 3 }),
    from: fc.nat({ max: 11 }),
  }),
  { minLength: 1, maxLength: 5 },
);

test('whoever comes and goes, in any order and several at once, within two rounds each owner has as many partitions as any other or one more', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (run) => {
      const dataDir = await mkdtemp(join(tmpdir(), 'waypost-spread-'));
      const store = await openSqliteStore({ dataDir });
      try {
        const rounds = new Rounds(store.partitions, 60_000);
        let named = 0;
        for (const { joins, leaves, from } of run) {
          for (let n = 0; n < joins; n++) rounds.join(`owner-${(named++ * 7) % 40}-${named}`);
          for (const n of leaves) if (rounds.live > 1) await rounds.leave(n);
          if (rounds.live === 0) continue;
          const order = Array.from({ length: rounds.live }, (_, n) => n + from);
          await rounds.round(order);
          await rounds.round(order);
          assert.deepEqual(rounds.sizes(), evenSizes(rounds.live));
        }
      } finally {
        await store.close();
        await rm(dataDir, { recursive: true });
      }
    }),
    { numRuns: 15 },
  );
});

describe('owners over MongoDB', { skip: mongo.skip }, () => {
  const opened: (() => Promise<void>)[] = [];
  after(async () => {
    for (const close of opened.toReversed()) await close();
  });
  const openPartitions = async (database: string): Promise<Partitions> => {
    const store = await openMongoStore({ url: mongo.backend?.url ?? '', database });
    opened.push(() => store.close());
    return store.partitions;
  };
  const leaseMs = 3_000;
  /** Two rounds, and the time that they take. */
  const twoRoundsMs = (leaseMs / 3) * 2 + 1_000;

  test('owners that come and go, one by one and several at once, each have their share within two rounds', async () => {
    const owners = new Owners({ partitions: await openPartitions(freshDatabase()), leaseMs });
    const settled = (): Promise<void> =>
      until(
        `${owners.live.size} have their share`,
        twoRoundsMs,
        () => String(owners.sizes()) === String(evenSizes(owners.live.size)),
      );
    const stop = async (...names: string[]): Promise<void> => {
      const leaving = names.flatMap((name) => owners.live.get(name) ?? []);
      for (const name of names) owners.live.delete(name);
      await Promise.all(leaving.map((ownership) => ownership.stop()));
    };
    for (const name of ['a', 'b', 'c']) {
      owners.add(name).start();
      await settled();
    }
    for (const name of ['d', 'e']) owners.add(name).start();
    await settled();
    await stop('b');
    await settled();
    await stop('a', 'e');
    await settled();
    await stop('c', 'd');
  });

  test('owners that die without a word are followed as soon as their leases end, not a round later', async () => {
    const database = freshDatabase();
    const owners = new Owners({ partitions: await openPartitions(database), leaseMs });
    const dying = await openPartitions(database);
    let isDead = false;
    const mortal: Partitions = {
      ...dying,
      announce: (request) => (isDead ? new Promise(() => {}) : dying.announce(request)),
      renew: (request) => (isDead ? new Promise(() => {}) : dying.renew(request)),
    };
    owners.add('a').start();
    owners.add('b').start();
    owners.add('mortal', mortal).start();
    await until('three have their share', 10_000, () => String(owners.sizes()) === String(evenSizes(3)));
    owners.live.delete('mortal');
    isDead = true;
    const diedMs = performance.now();
    await until('two have all', 10_000, () => String(owners.sizes()) === String(evenSizes(2)));
    const tookMs = performance.now() - diedMs;
    assert.ok(tookMs < leaseMs + leaseMs / 6 + 200, `took ${tookMs} ms`);
    await Promise.all([...owners.live.values()].map((ownership) => ownership.stop()));
  });
});
