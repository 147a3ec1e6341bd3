import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { newId } from '../../libs/runtime/ids.ts';
import { StoreUnavailable } from '../../libs/store/errors.ts';
import type { Account } from '../../libs/store/ports/directory.ts';
import { openSqliteStore, type SqliteStore } from '../../libs/store/sqlite/open.ts';
import { authMetrics } from './metrics.ts';
import { quotaCopier } from './quota-copy.ts';

describe('quotas on their way to the mailboxes', () => {
  let store: SqliteStore;
  let dataDir: string;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'waypost-quota-'));
    store = await openSqliteStore({ dataDir });
    await store.directoryAdmin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
  });
  after(async () => {
    await store.close();
    await rm(dataDir, { recursive: true });
  });

  async function addAccount(bytes: number): Promise<string> {
    const id = newId();
    const key = `${id}@example.test`;
    const base = {
      id,
      key,
      address: key,
      displayName: null,
      enabled: true,
      admin: false,
      credentialVersion: 1,
      createdAt: 1,
    };
    await store.directoryAdmin.addAccount({ ...base, quota: { bytes, messages: null } }, 'hash');
    return id;
  }

  /** A copier whose writes to the mailboxes go through `around` first. */
  function open(around: (id: string, quota: Account['quota']) => Promise<void> = async () => {}) {
    const mailboxes = {
      usage: (ids: readonly string[]) => store.mailboxes.usage(ids),
      setQuota: async (id: string, quota: Account['quota']) => {
        await around(id, quota);
        await store.mailboxes.setQuota(id, quota);
      },
    };
    const metrics = authMetrics(new Registry(), () => ({ waiting: 0 }));
    return quotaCopier({ directoryAdmin: store.directoryAdmin, mailboxes, metrics, log: pino({ level: 'silent' }) });
  }

  const limit = async (id: string): Promise<number | null | undefined> =>
    (await store.mailboxes.usage([id])).get(id)?.limitBytes;

  it('those of many accounts arrive, also when many ask for it at the same time', async () => {
    const ids = await Promise.all(Array.from({ length: 250 }, (_, i) => addAccount(i)));
    const copy = open();
    await Promise.all(Array.from({ length: 10 }, () => copy()));
    assert.deepEqual(
      await Promise.all(ids.map(limit)),
      ids.map((_, i) => i),
    );
    assert.deepEqual(await store.directoryAdmin.uncopiedQuotas(1), []);
  });

  it('a value that changes while the older one is written arrives in the end', async () => {
    const id = await addAccount(1);
    let changed = false;
    await open(async () => {
      if (changed) return;
      changed = true;
      await store.directoryAdmin.updateAccount(id, { quota: { bytes: 2, messages: null } });
    })();
    assert.equal(await limit(id), 2);
  });

  it('an account that is removed meanwhile, or can’t be written, keeps no other from its quota', async () => {
    const ids = (await Promise.all([4, 5, 6, 7].map(addAccount))).sort();
    const [removed = '', broken = '', ...others] = ids;
    await open(async (id) => {
      if (id === removed) await store.directoryAdmin.removeAccount(id, 2);
      if (id === broken) throw new Error('this row can’t be written');
    })();
    for (const id of others) assert.ok((await limit(id)) !== undefined && (await limit(id)) !== null);
    assert.equal(await limit(removed), undefined, 'the mailboxes of a removed account aren’t made again');
    const left = await store.directoryAdmin.uncopiedQuotas(10);
    assert.deepEqual(
      left.map(({ accountId }) => accountId),
      [broken],
    );
    await open()();
    assert.ok((await limit(broken)) !== undefined);
  });

  it('what could not be written is written by the next run', async () => {
    const id = await addAccount(3);
    await open(() => Promise.reject(new StoreUnavailable('away')))();
    assert.equal((await store.directoryAdmin.uncopiedQuotas(10)).length, 1);
    await open()();
    assert.equal(await limit(id), 3);
  });
});
