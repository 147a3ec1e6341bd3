import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { NotFound, Refused } from '../../libs/store/errors.ts';
import type { CredentialRow, TokenRow } from '../../libs/store/ports/credentials.ts';
import { account, type OpenDirectory } from './directory.ts';

/** What each adapter of Credentials keeps. `open` gives an empty store. */
export function credentialsContract(name: string, open: () => Promise<OpenDirectory>): void {
  describe(`credentials contract: ${name}`, () => {
    let store: OpenDirectory;
    before(async () => {
      store = await open();
      await store.admin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
    });
    after(() => store.close());

    const user = async (): Promise<string> => {
      const made = account(`${newId()}@example.test`);
      await store.admin.addAccount(made, 'password-hash');
      return made.id;
    };
    const version = async (id: string): Promise<number> =>
      (await store.directory.credentialVersions([id])).get(id) ?? 0;

    it('an account has its password and its application passwords, which raise credentialVersion', async () => {
      const accountId = await user();
      const before = await version(accountId);
      const row = appPassword(accountId);
      await store.credentials.addAppPassword(row);
      const between = await version(accountId);
      assert.ok(between > before);
      assert.deepEqual(await store.credentials.appPasswords(accountId), [row]);
      const kinds = (await store.credentials.ofAccount(accountId)).map(({ kind }) => kind);
      assert.deepEqual(kinds.toSorted(), ['app', 'password']);
      await store.credentials.removeAppPassword(accountId, row.id);
      assert.ok((await version(accountId)) > between);
      assert.deepEqual(await store.credentials.appPasswords(accountId), []);
    });

    it("an application password or token of another is not found, nor is an account's own password by that way", async () => {
      const [mine, other] = [await user(), await user()];
      const row = appPassword(other);
      await store.credentials.addAppPassword(row);
      await assert.rejects(store.credentials.removeAppPassword(mine, row.id), NotFound);
      await assert.rejects(store.credentials.removeAppPassword(mine, mine), NotFound);
      const made = token(other, 't');
      await store.credentials.addToken(made);
      await assert.rejects(store.credentials.removeToken(mine, made.id), NotFound);
      assert.deepEqual(await store.credentials.tokens(mine, { limit: 10 }), []);
    });

    it('nothing is added to an account that is not there, also when it goes at the same time', async () => {
      await assert.rejects(store.credentials.addAppPassword(appPassword(newId())), NotFound);
      await assert.rejects(store.credentials.addToken(token(newId(), 'x')), NotFound);
      for (let i = 0; i < 5; i++) {
        const accountId = await user();
        const row = token(accountId, `race${i}`);
        await Promise.allSettled([store.admin.removeAccount(accountId, 1), store.credentials.addToken(row)]);
        assert.equal(await store.credentials.tokenByHash(row.hash), undefined);
      }
    });

    it('a token is found by its hash until it is removed, which raises credentialVersion', async () => {
      const accountId = await user();
      const row = { ...token(accountId, 'found'), scopes: ['mail:read', 'mail:send'], expiresAt: 99 };
      await store.credentials.addToken(row);
      assert.deepEqual(await store.credentials.tokenByHash(row.hash), row);
      const before = await version(accountId);
      await store.credentials.removeToken(accountId, row.id);
      assert.ok((await version(accountId)) > before);
      assert.equal(await store.credentials.tokenByHash(row.hash), undefined);
      await assert.rejects(store.credentials.removeToken(accountId, row.id), NotFound);
    });

    it('tokens are listed in pages, in the order of their ids', async () => {
      const accountId = await user();
      const rows = Array.from({ length: 5 }, (_, i) => token(accountId, `page${i}`));
      for (const row of rows) await store.credentials.addToken(row);
      const first = await store.credentials.tokens(accountId, { limit: 3 });
      const rest = await store.credentials.tokens(accountId, { limit: 3, cursor: first.at(-1)?.id ?? '' });
      // Ids made within one millisecond come in any order.
      const byId = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      assert.deepEqual([...first, ...rest], byId);
    });

    it('the number of application passwords has a cap, kept by writers at the same time', async () => {
      const accountId = await user();
      const adding = Array.from({ length: 110 }, () => store.credentials.addAppPassword(appPassword(accountId)));
      const results = await Promise.allSettled(adding);
      for (const result of results) {
        if (result.status === 'rejected')
          assert.ok(result.reason instanceof Refused && result.reason.rule === 'tooManyAppPasswords');
      }
      assert.equal((await store.credentials.appPasswords(accountId)).length, 100);
    });
  });
}

function appPassword(accountId: string): CredentialRow {
  return { id: newId(), accountId, kind: 'app', name: 'phone', hash: newId(), createdAt: 1 };
}

function token(accountId: string, hash: string): TokenRow {
  return {
    id: newId(),
    accountId,
    name: 'script',
    scopes: ['mail:read'],
    hash: `${hash}-${accountId}`,
    expiresAt: null,
    createdAt: 1,
  };
}
