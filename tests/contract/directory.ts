import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { AlreadyExists, NotFound, Refused } from '../../libs/store/errors.ts';
import type { Credentials } from '../../libs/store/ports/credentials.ts';
import type { Account, Alias, Directory, DirectoryAdmin } from '../../libs/store/ports/directory.ts';

export interface OpenDirectory {
  directory: Directory;
  admin: DirectoryAdmin;
  credentials: Credentials;
  close(): Promise<void>;
}

/** What each adapter of Directory and DirectoryAdmin keeps. `open` gives an empty store. */
export function directoryContract(name: string, open: () => Promise<OpenDirectory>): void {
  describe(`directory contract: ${name}`, () => {
    let store: OpenDirectory;
    before(async () => {
      store = await open();
      await store.admin.addDomain({ key: 'example.test', name: 'Example.test', createdAt: 1 });
      await store.admin.addAccount(account('root@example.test', { admin: true }), 'hash');
    });
    after(() => store.close());

    it('one lookup finds accounts, aliases, catch-alls and which domains are ours', async () => {
      const domain = await freshDomain(store);
      const alice = account(`alice@${domain}`, { displayName: 'Alice', quota: { bytes: 10, messages: null } });
      await store.admin.addAccount(alice, 'hash');
      await store.admin.addAlias(alias(`team@${domain}`, [`Alice@${domain}`, `bob@${domain}`]));
      await store.admin.addAlias(alias(`@${domain}`, [`alice@${domain}`]));
      const found = await store.directory.lookup({
        keys: [alice.key, `team@${domain}`, `@${domain}`, `nobody@${domain}`],
        domains: [domain, 'elsewhere.test'],
      });
      assert.deepEqual(found.entries.get(alice.key), { kind: 'account', account: alice });
      const team = { kind: 'alias', address: `team@${domain}`, targets: [`Alice@${domain}`, `bob@${domain}`] };
      assert.deepEqual(found.entries.get(`team@${domain}`), team);
      assert.equal(found.entries.get(`@${domain}`)?.kind, 'alias');
      assert.equal(found.entries.size, 3);
      assert.deepEqual([...found.domains], [domain]);
    });

    it('a lookup of nothing answers nothing', async () => {
      const found = await store.directory.lookup({ keys: [], domains: [] });
      assert.equal(found.entries.size + found.domains.size, 0);
    });

    it('an address is unique over accounts and aliases', async () => {
      const domain = await freshDomain(store);
      await store.admin.addAccount(account(`a@${domain}`), 'hash');
      await store.admin.addAlias(alias(`b@${domain}`, [`a@${domain}`]));
      await assert.rejects(store.admin.addAlias(alias(`a@${domain}`, [`b@${domain}`])), AlreadyExists);
      await assert.rejects(store.admin.addAccount(account(`b@${domain}`), 'hash'), AlreadyExists);
      await assert.rejects(store.admin.addAccount(account(`a@${domain}`), 'hash'), AlreadyExists);
    });

    it('of many writers that take one address at the same time exactly one gets it', async () => {
      const domain = await freshDomain(store);
      const key = `one@${domain}`;
      const attempts = Array.from({ length: 20 }, (_, i) =>
        i % 2 === 0
          ? store.admin.addAccount(account(key), 'hash')
          : store.admin.addAlias(alias(key, [`root@${domain}`])),
      );
      const results = await Promise.allSettled(attempts);
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
      for (const result of results) if (result.status === 'rejected') assert.ok(result.reason instanceof AlreadyExists);
    });

    it('an account whose adding is repeated exists once, with its first password', async () => {
      const domain = await freshDomain(store);
      const twice = account(`twice@${domain}`);
      await store.admin.addAccount(twice, 'first');
      await assert.rejects(store.admin.addAccount(twice, 'second'), AlreadyExists);
      assert.deepEqual(
        (await store.credentials.ofAccount(twice.id)).map(({ hash }) => hash),
        ['first'],
      );
    });

    it('an account id is never used again, its address is free again', async () => {
      const domain = await freshDomain(store);
      const gone = account(`gone@${domain}`);
      await store.admin.addAccount(gone, 'hash');
      await store.admin.removeAccount(gone.id, 5);
      await assert.rejects(store.admin.addAccount({ ...gone, key: `other@${domain}` }, 'hash'), AlreadyExists);
      await store.admin.addAccount(account(`gone@${domain}`), 'hash');
    });

    it('a removed account is gone with its credentials, and listed until its mail is reported gone', async () => {
      const domain = await freshDomain(store);
      const gone = account(`gone@${domain}`);
      await store.admin.addAccount(gone, 'hash');
      await store.admin.removeAccount(gone.id, 77);
      assert.equal((await store.directory.accounts([gone.id])).size, 0);
      assert.equal((await store.directory.credentialVersions([gone.id])).size, 0);
      assert.deepEqual(await store.credentials.ofAccount(gone.id), []);
      await assert.rejects(store.admin.removeAccount(gone.id, 78), NotFound);
      const listed = async () => (await store.directory.removedAccounts(1000)).find(({ id }) => id === gone.id);
      assert.deepEqual(await listed(), { id: gone.id, key: gone.key, removedAt: 77 });
      await store.admin.accountPurged(gone.id, 80);
      await store.admin.accountPurged(gone.id, 81);
      assert.equal(await listed(), undefined);
      await assert.rejects(store.admin.accountPurged(newId(), 82), NotFound);
    });

    it('accounts and aliases need a domain of ours', async () => {
      const noDomain = (error: unknown) => error instanceof Refused && error.rule === 'noDomain';
      await assert.rejects(store.admin.addAccount(account('a@nowhere.test'), 'hash'), noDomain);
      await assert.rejects(store.admin.addAlias(alias('@nowhere.test', ['root@example.test'])), noDomain);
    });

    it('a domain goes only when it is empty', async () => {
      const domain = await freshDomain(store);
      await store.admin.addAlias(alias(`x@${domain}`, ['root@example.test']));
      await assert.rejects(
        store.admin.removeDomain(domain),
        (error) => error instanceof Refused && error.rule === 'domainInUse',
      );
      await store.admin.removeAlias(`x@${domain}`);
      await store.admin.removeDomain(domain);
      await assert.rejects(store.admin.removeDomain(domain), NotFound);
      await assert.rejects(
        store.admin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 2 }),
        AlreadyExists,
      );
    });

    it('a domain is never removed under an account that is added at the same time', async () => {
      for (let i = 0; i < 10; i++) {
        const domain = await freshDomain(store);
        const [added, removed] = await Promise.allSettled([
          store.admin.addAccount(account(`a@${domain}`), 'hash'),
          store.admin.removeDomain(domain),
        ]);
        assert.notEqual(added.status, removed.status);
      }
    });

    it('credentialVersion grows with password, enabled and rights, and with nothing else', async () => {
      const domain = await freshDomain(store);
      const user = account(`v@${domain}`);
      await store.admin.addAccount(user, 'hash');
      const versions = [user.credentialVersion];
      for (const patch of [{ passwordHash: 'new' }, { enabled: false }, { enabled: true }, { admin: true }]) {
        versions.push((await store.admin.updateAccount(user.id, patch)).credentialVersion);
      }
      for (let i = 1; i < versions.length; i++) assert.ok((versions[i] ?? 0) > (versions[i - 1] ?? 0));
      const same = await store.admin.updateAccount(user.id, { displayName: 'V', quota: { bytes: 1, messages: 2 } });
      assert.equal(same.credentialVersion, versions.at(-1));
      assert.deepEqual([same.displayName, same.quota], ['V', { bytes: 1, messages: 2 }]);
      assert.equal((await store.directory.credentialVersions([user.id])).get(user.id), versions.at(-1));
      await assert.rejects(store.admin.updateAccount(newId(), { displayName: null }), NotFound);
    });

    it('no change of password is lost among many at the same time', async () => {
      const domain = await freshDomain(store);
      const user = account(`many@${domain}`);
      await store.admin.addAccount(user, 'hash');
      const changes = Array.from({ length: 20 }, (_, i) =>
        store.admin.updateAccount(user.id, { passwordHash: `h${i}` }),
      );
      const versions = (await Promise.all(changes)).map(({ credentialVersion }) => credentialVersion);
      assert.equal(new Set(versions).size, 20);
      assert.equal((await store.credentials.ofAccount(user.id)).length, 1);
    });

    it('a disabled account has no credentialVersion', async () => {
      const domain = await freshDomain(store);
      const user = account(`off@${domain}`, { enabled: false });
      await store.admin.addAccount(user, 'hash');
      assert.equal((await store.directory.credentialVersions([user.id])).size, 0);
      assert.equal((await store.directory.accounts([user.id])).get(user.id)?.enabled, false);
    });

    it('the last administrator who can log in stays, whoever leaves at the same time', async () => {
      const other = await open();
      try {
        await other.admin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
        const admins = ['a', 'b', 'c'].map((local) => account(`${local}@example.test`, { admin: true }));
        for (const admin of admins) await other.admin.addAccount(admin, 'hash');
        const [a = '', b = '', c = ''] = admins.map(({ id }) => id);
        const leaving = await Promise.allSettled([
          other.admin.updateAccount(a, { enabled: false }),
          other.admin.removeAccount(b, 9),
          other.admin.updateAccount(c, { admin: false }),
        ]);
        const refused = leaving.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
        assert.equal(refused.length, 1);
        assert.ok(refused[0] instanceof Refused && refused[0].rule === 'lastAdministrator');
        assert.equal((await other.directory.administrators(10)).length, 1);
      } finally {
        await other.close();
      }
    });

    it('addressesOf names the own address and the aliases with it as direct target, whatever the case', async () => {
      const domain = await freshDomain(store);
      const user = account(`me@${domain}`);
      await store.admin.addAccount(user, 'hash');
      await store.admin.addAlias(alias(`sales@${domain}`, [`ME@${domain}`, `x@${domain}`]));
      await store.admin.addAlias(alias(`all@${domain}`, [`sales@${domain}`]));
      assert.deepEqual([...(await store.directory.addressesOf(user.id))].sort(), [`me@${domain}`, `sales@${domain}`]);
      await store.admin.updateAlias(`sales@${domain}`, [`x@${domain}`]);
      assert.deepEqual(await store.directory.addressesOf(user.id), [`me@${domain}`]);
      await store.admin.removeAccount(user.id, 3);
      assert.deepEqual(await store.directory.addressesOf(user.id), []);
    });

    it('aliases keep the order of their targets through changes', async () => {
      const domain = await freshDomain(store);
      const targets = Array.from({ length: 1000 }, (_, i) => `t${i}@${domain}`);
      await store.admin.addAlias(alias(`list@${domain}`, targets));
      const found = await store.directory.lookup({ keys: [`list@${domain}`], domains: [] });
      const entry = found.entries.get(`list@${domain}`);
      assert.deepEqual(entry?.kind === 'alias' && entry.targets, targets);
      const reversed = targets.toReversed();
      assert.deepEqual((await store.admin.updateAlias(`list@${domain}`, reversed)).targets, reversed);
      await store.admin.removeAlias(`list@${domain}`);
      await assert.rejects(store.admin.removeAlias(`list@${domain}`), NotFound);
      await assert.rejects(store.admin.updateAlias(`list@${domain}`, targets), NotFound);
    });

    it('pages hold everything once, in order', async () => {
      const domain = await freshDomain(store);
      const keys = Array.from({ length: 7 }, (_, i) => `p${i}@${domain}`);
      for (const key of keys) await store.admin.addAccount(account(key), 'hash');
      for (const key of keys) await store.admin.addAlias(alias(`alias-${key}`, [key]));
      const accounts = await allPages((page) => store.admin.listAccounts(page));
      assert.deepEqual(
        accounts.map(({ key }) => key).filter((key) => keys.includes(key)),
        keys,
      );
      const aliases = await allPages((page) => store.admin.aliases(page));
      assert.equal(aliases.filter(({ key }) => key.endsWith(`@${domain}`)).length, 7);
      const domains = (await allPages((page) => store.admin.domains(page))).map(({ key }) => key);
      assert.deepEqual(domains, domains.toSorted());
      assert.ok(domains.includes(domain));
    });

    it('a quota is to be copied until the very value was, though it changes meanwhile', async () => {
      const domain = await freshDomain(store);
      const user = account(`q@${domain}`, { quota: { bytes: 1, messages: null } });
      await store.admin.addAccount(user, 'hash');
      const pending = async () =>
        (await store.admin.uncopiedQuotas(1000)).find(({ accountId }) => accountId === user.id);
      const first = await pending();
      assert.deepEqual(first?.quota, { bytes: 1, messages: null });
      await store.admin.updateAccount(user.id, { quota: { bytes: 2, messages: 5 } });
      assert.equal(await store.admin.quotaCopied(user.id, first?.version ?? -1), false);
      const second = await pending();
      assert.deepEqual(second?.quota, { bytes: 2, messages: 5 });
      assert.equal(await store.admin.quotaCopied(user.id, second?.version ?? -1), true);
      assert.equal(await pending(), undefined);
      // Somebody who was slow has brought the old value, after the new one was there.
      assert.equal(await store.admin.quotaCopied(user.id, first?.version ?? -1), false);
      assert.deepEqual((await pending())?.quota, { bytes: 2, messages: 5 });
    });
  });
}

export function account(key: string, fields: Partial<Account> = {}): Account {
  const base = {
    id: newId(),
    key,
    address: key,
    displayName: null,
    enabled: true,
    admin: false,
    credentialVersion: 1,
    createdAt: 1_000,
  };
  return { ...base, quota: { bytes: null, messages: null }, ...fields };
}

function alias(key: string, targets: readonly string[]): Alias {
  return { key, address: key, targets, createdAt: 1_000 };
}

let domains = 0;

async function freshDomain(store: OpenDirectory): Promise<string> {
  domains += 1;
  const key = `d${domains}.test`;
  await store.admin.addDomain({ key, name: key, createdAt: 1 });
  return key;
}

async function allPages<T extends { key: string }>(
  page: (page: { limit: number; cursor?: string }) => Promise<readonly T[]>,
): Promise<T[]> {
  const all: T[] = [];
  for (;;) {
    const cursor = all.at(-1)?.key;
    const items = await page({ limit: 3, ...(cursor === undefined ? {} : { cursor }) });
    if (items.length === 0) return all;
    all.push(...items);
  }
}
