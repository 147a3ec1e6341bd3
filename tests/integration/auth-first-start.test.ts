import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SqliteStore } from '../../libs/store/sqlite/open.ts';
import { account } from '../contract/directory.ts';
import { type AuthFixture, openAuth } from './auth-fixture.ts';

describe('the first start', () => {
  it('that was cut short is done again: samples get new passwords, for nobody has seen theirs', async () => {
    await using auth = await opened({ prepare: halfStarted });
    for (const [name, password] of Object.entries(auth.passwords)) {
      assert.equal((await auth.login(`${name}@example.test`, password)).ok, true, name);
    }
  });

  it('makes no samples when told so, and takes the password that is given for the administrator', async () => {
    const env = { WAYPOST_SAMPLE_ACCOUNTS: 'false', WAYPOST_ADMIN_PASSWORD: 'given-password' };
    await using auth = await opened({ env });
    assert.deepEqual(auth.passwords, { admin: 'given-password', alice: '', bob: '' });
    assert.equal((await auth.login('admin@example.test', 'given-password')).ok, true);
    assert.equal((await auth.store.directoryAdmin.listAccounts({ limit: 10 })).length, 1);
  });

  it('is over once there is an administrator, of whatever name', async () => {
    const prepare = async (store: SqliteStore): Promise<void> => {
      await halfStarted(store);
      await store.directoryAdmin.addAccount(account('root@example.test', { admin: true }), 'hash');
    };
    await using auth = await opened({ prepare });
    assert.deepEqual(auth.passwords, { admin: '', alice: '', bob: '' });
  });
});

async function halfStarted(store: SqliteStore): Promise<void> {
  await store.directoryAdmin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
  await store.directoryAdmin.addAccount(account('alice@example.test'), 'hash');
}

async function opened(options: Parameters<typeof openAuth>[0]): Promise<AuthFixture & AsyncDisposable> {
  const auth = await openAuth(options);
  return { ...auth, [Symbol.asyncDispose]: () => auth.close() };
}
