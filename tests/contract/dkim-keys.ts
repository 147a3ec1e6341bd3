import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AlreadyExists, NotFound, Refused } from '../../libs/store/errors.ts';
import type { DirectoryAdmin } from '../../libs/store/ports/directory.ts';
import type { DkimKeys, NewDkimKey } from '../../libs/store/ports/dkim-keys.ts';

export interface OpenDkimKeys {
  dkimKeys: DkimKeys;
  admin: DirectoryAdmin;
  close(): Promise<void>;
}

/** What each adapter of DkimKeys keeps. `open` gives an empty store. */
export function dkimKeysContract(name: string, open: () => Promise<OpenDkimKeys>): void {
  describe(`DKIM keys contract: ${name}`, () => {
    let store: OpenDkimKeys;
    let keys: DkimKeys;
    before(async () => {
      store = await open();
      keys = store.dkimKeys;
    });
    after(() => store.close());

    let made = 0;
    const freshDomain = async (): Promise<string> => {
      made += 1;
      const domain = `d${made}.test`;
      await store.admin.addDomain({ key: domain, name: domain, createdAt: 1 });
      return domain;
    };
    const key = (domain: string, selector: string, more: Partial<NewDkimKey> = {}): NewDkimKey => ({
      domain,
      selector,
      algorithm: 'rsa-sha256',
      publicKey: 'public',
      privateKey: `sealed ${selector}`,
      awaits: null,
      createdAt: 100,
      ...more,
    });
    const activate = (domain: string, selector: string, at = 200) =>
      keys.setState({ domain, selector, state: 'active', at, removeAt: at + 50 });
    const retire = (domain: string, selector: string, at = 300) =>
      keys.setState({ domain, selector, state: 'retired', at, removeAt: at + 50 });
    const states = async (domain: string): Promise<Record<string, string>> =>
      Object.fromEntries((await keys.list(domain)).map(({ selector, state }) => [selector, state]));

    it('a key that was added is listed without its private key, oldest first, and does not sign', async () => {
      const domain = await freshDomain();
      await keys.add(key(domain, 'b', { createdAt: 300 }));
      await keys.add(key(domain, 'a', { algorithm: 'ed25519-sha256', awaits: { keepMs: 7 } }));
      const { privateKey: _, ...a } = key(domain, 'a', { algorithm: 'ed25519-sha256', awaits: { keepMs: 7 } });
      const { privateKey: __, ...b } = key(domain, 'b', { createdAt: 300 });
      const fresh = { state: 'new', activatedAt: null, retiredAt: null, removeAt: null };
      assert.deepEqual(await keys.list(domain), [
        { ...a, ...fresh },
        { ...b, ...fresh },
      ]);
      assert.deepEqual(await keys.active([domain]), []);
      assert.deepEqual(await keys.list('none.test'), []);
    });

    it('a key needs a domain of ours, a selector of its own, and room', async () => {
      await assert.rejects(keys.add(key('elsewhere.test', 'a')), NotFound);
      const domain = await freshDomain();
      await keys.add(key(domain, 'a'));
      await assert.rejects(keys.add(key(domain, 'a', { algorithm: 'ed25519-sha256' })), AlreadyExists);
      for (let n = 1; n < 20; n += 1) await keys.add(key(domain, `k${n}`));
      await assert.rejects(
        keys.add(key(domain, 'more')),
        (error: unknown) => error instanceof Refused && error.rule === 'tooManyDkimKeys',
      );
      assert.equal((await keys.list(domain)).length, 20);
    });

    it('of several that add the same selector at once one succeeds', async () => {
      const domain = await freshDomain();
      const results = await Promise.allSettled(
        Array.from({ length: 5 }, (_, n) => keys.add(key(domain, 'a', { createdAt: n }))),
      );
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
      assert.equal((await keys.list(domain)).length, 1);
    });

    it('active keys of the domains asked for are what signs, both algorithms of one', async () => {
      const [first, second] = [await freshDomain(), await freshDomain()];
      await keys.add(key(first, 'r'));
      await keys.add(key(first, 'e', { algorithm: 'ed25519-sha256' }));
      await keys.add(key(second, 's'));
      for (const [domain, selector] of [
        [first, 'e'],
        [first, 'r'],
        [second, 's'],
      ] as const)
        await activate(domain, selector);
      const rsa = { domain: first, selector: 'r', algorithm: 'rsa-sha256', privateKey: 'sealed r' };
      const ed25519 = { domain: first, selector: 'e', algorithm: 'ed25519-sha256', privateKey: 'sealed e' };
      assert.deepEqual(await keys.active([first, 'none.test']), [rsa, ed25519]);
      assert.equal((await keys.active([first, second])).length, 3);
      assert.deepEqual(await keys.active([]), []);
    });

    it('making a key active retires the other of its algorithm, and no other', async () => {
      const domain = await freshDomain();
      for (const selector of ['old', 'new', 'idle']) await keys.add(key(domain, selector, { awaits: { keepMs: 5 } }));
      await keys.add(key(domain, 'e', { algorithm: 'ed25519-sha256' }));
      await activate(domain, 'old', 200);
      await activate(domain, 'e', 200);
      await activate(domain, 'new', 300);
      assert.deepEqual(await states(domain), { e: 'active', idle: 'new', new: 'active', old: 'retired' });
      const found = await keys.list(domain);
      const old = found.find(({ selector }) => selector === 'old');
      assert.deepEqual([old?.activatedAt, old?.retiredAt, old?.removeAt, old?.awaits], [200, 300, 350, null]);
      const fresh = found.find(({ selector }) => selector === 'new');
      assert.deepEqual([fresh?.activatedAt, fresh?.retiredAt, fresh?.removeAt, fresh?.awaits], [300, null, null, null]);
    });

    it('a retired key can become active again; what is repeated changes nothing', async () => {
      const domain = await freshDomain();
      await keys.add(key(domain, 'a'));
      await activate(domain, 'a', 200);
      await activate(domain, 'a', 999);
      assert.equal((await keys.list(domain))[0]?.activatedAt, 200);
      await retire(domain, 'a', 300);
      await retire(domain, 'a', 999);
      assert.deepEqual(await keys.active([domain]), []);
      assert.equal((await keys.list(domain))[0]?.removeAt, 350);
      await activate(domain, 'a', 400);
      const [again] = await keys.list(domain);
      assert.deepEqual(
        [again?.state, again?.activatedAt, again?.retiredAt, again?.removeAt],
        ['active', 400, null, null],
      );
    });

    it('of keys that are made active at once one is, at every moment', async () => {
      const domain = await freshDomain();
      const selectors = ['a', 'b', 'c', 'd'];
      for (const selector of selectors) await keys.add(key(domain, selector));
      await activate(domain, 'a');
      let isDone = false;
      const seen = new Set<number>();
      const reading = (async () => {
        while (!isDone) seen.add((await keys.active([domain])).length);
      })();
      await Promise.all(selectors.map((selector) => activate(domain, selector)));
      isDone = true;
      await reading;
      assert.deepEqual([...seen], [1]);
      assert.equal(Object.values(await states(domain)).filter((state) => state === 'active').length, 1);
    });

    it('what signs is not removed; new and retired keys are, once', async () => {
      const domain = await freshDomain();
      for (const selector of ['a', 'b']) await keys.add(key(domain, selector));
      await activate(domain, 'a');
      await assert.rejects(
        keys.remove(domain, 'a'),
        (error: unknown) => error instanceof Refused && error.rule === 'dkimKeyActive',
      );
      await retire(domain, 'a');
      await keys.remove(domain, 'a');
      await keys.remove(domain, 'b');
      assert.deepEqual(await keys.list(domain), []);
      await assert.rejects(keys.remove(domain, 'a'), NotFound);
      await assert.rejects(activate(domain, 'a'), NotFound);
      await assert.rejects(keys.remove('none.test', 'a'), NotFound);
    });

    it('what waits for its record and what may go is found, and nothing else', async () => {
      const other = await open();
      try {
        await other.admin.addDomain({ key: 'x.test', name: 'x.test', createdAt: 1 });
        for (const selector of ['plain', 'awaiting', 'gone', 'later', 'active']) {
          await other.dkimKeys.add(key('x.test', selector, { awaits: selector === 'awaiting' ? { keepMs: 5 } : null }));
        }
        const set = (selector: string, state: 'active' | 'retired', at: number) =>
          other.dkimKeys.setState({ domain: 'x.test', selector, state, at, removeAt: at + 50 });
        await set('active', 'active', 1);
        await set('gone', 'retired', 100);
        await set('later', 'retired', 101);
        const { awaiting, removable } = await other.dkimKeys.due(150, 10);
        assert.deepEqual(
          awaiting.map(({ selector, awaits }) => [selector, awaits]),
          [['awaiting', { keepMs: 5 }]],
        );
        assert.deepEqual(
          removable.map(({ selector }) => selector),
          ['gone'],
        );
        assert.ok(![...awaiting, ...removable].some((found) => 'privateKey' in found));
        await other.dkimKeys.remove('x.test', 'gone');
        await set('awaiting', 'active', 200);
        assert.deepEqual(await other.dkimKeys.due(150, 10), { awaiting: [], removable: [] });
        assert.equal((await other.dkimKeys.due(1_000, 1)).removable.length, 1);
      } finally {
        await other.close();
      }
    });

    it('keys go with their domain', async () => {
      const domain = await freshDomain();
      await keys.add(key(domain, 'a'));
      await activate(domain, 'a');
      await store.admin.removeDomain(domain);
      assert.deepEqual(await keys.active([domain]), []);
      await store.admin.addDomain({ key: domain, name: domain, createdAt: 1 });
      assert.deepEqual(await keys.list(domain), []);
    });
  });
}
