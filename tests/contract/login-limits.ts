import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { LoginLimits } from '../../libs/store/ports/credentials.ts';

export interface OpenLoginLimits {
  limits: LoginLimits;
  close(): Promise<void>;
}

/** What each adapter of LoginLimits keeps. `open` gives an empty store. */
export function loginLimitsContract(name: string, open: () => Promise<OpenLoginLimits>): void {
  describe(`login limits contract: ${name}`, () => {
    let store: OpenLoginLimits;
    before(async () => {
      store = await open();
    });
    after(() => store.close());

    const count = async (key: string, now: number): Promise<number | undefined> =>
      (await store.limits.failures([key], now))[0]?.count;

    it('counts each failure of writers at the same time', async () => {
      await Promise.all(Array.from({ length: 50 }, () => store.limits.fail(['many', 'also'], 1_000, 100)));
      assert.deepEqual(await store.limits.failures(['also', 'none', 'many'], 200), [
        { key: 'also', count: 50, resetsAt: 1_100 },
        { key: 'none', count: 0, resetsAt: 200 },
        { key: 'many', count: 50, resetsAt: 1_100 },
      ]);
    });

    it('a window begins with its first failure and ends at its time', async () => {
      await store.limits.fail(['window'], 1_000, 100);
      await store.limits.fail(['window'], 1_000, 900);
      assert.equal(await count('window', 1_099), 2);
      assert.equal(await count('window', 1_100), 0);
      await store.limits.fail(['window'], 1_000, 1_100);
      assert.deepEqual(await store.limits.failures(['window'], 1_100), [{ key: 'window', count: 1, resetsAt: 2_100 }]);
    });

    it('clear forgets the named keys alone', async () => {
      await store.limits.fail(['a', 'b'], 1_000, 100);
      await store.limits.clear(['a']);
      assert.deepEqual([await count('a', 200), await count('b', 200)], [0, 1]);
    });

    it('remembers a success until its time, the later one of two', async () => {
      await store.limits.remember('pair', 5_000);
      await store.limits.remember('pair', 3_000);
      assert.equal(await store.limits.remembered('pair', 4_999), 5_000);
      assert.equal(await store.limits.remembered('pair', 5_000), undefined);
      assert.equal(await store.limits.remembered('other', 0), undefined);
    });

    it('purge removes what has run out, in bounded steps, and nothing else', async () => {
      const fresh = await open();
      try {
        for (let i = 0; i < 5; i++) await fresh.limits.fail([`old${i}`], 10, 0);
        await fresh.limits.remember('old', 10);
        await fresh.limits.fail(['young'], 1_000, 0);
        await fresh.limits.remember('young', 1_000);
        assert.equal(await fresh.limits.purge(10, 4), 4);
        assert.equal(await fresh.limits.purge(10, 4), 2);
        assert.equal(await fresh.limits.purge(10, 4), 0);
        assert.equal((await fresh.limits.failures(['young'], 10))[0]?.count, 1);
        assert.equal(await fresh.limits.remembered('young', 10), 1_000);
      } finally {
        await fresh.close();
      }
    });
  });
}
