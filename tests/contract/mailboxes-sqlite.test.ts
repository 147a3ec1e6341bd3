import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { StoreFull } from '../../libs/store/errors.ts';
import { sqliteDeliveries } from '../../libs/store/sqlite/deliveries.ts';
import { sqliteDirectoryAdmin } from '../../libs/store/sqlite/directory.ts';
import { Engine } from '../../libs/store/sqlite/engine/engine.ts';
import { sqliteMailboxes } from '../../libs/store/sqlite/mailboxes.ts';
import { sqlitePartitions } from '../../libs/store/sqlite/partitions.ts';
import { sqliteSpool } from '../../libs/store/sqlite/spool.ts';
import { Courier } from './mailboxes-courier.ts';
import { appended } from './mailboxes-messages.ts';
import { mailboxesContract, type OpenMailboxes } from './mailboxes.ts';

mailboxesContract('sqlite', open);

describe('mailboxes in SQLite on a full disk', () => {
  it('a batch without room is not there at all, its rows keep their claim, and it goes on when there is room', async () => {
    const store = await open({ maxPageCount: 400 });
    try {
      const courier = new Courier(store);
      const accountId = await courier.account();
      const batch = await courier.claimed(
        Array.from({ length: 20 }, () => ({ accountId, summary: { preview: 'x'.repeat(2_000) } })),
      );
      const fillers = await fill(store, accountId);
      const state = await store.mailboxes.state(accountId);
      await assert.rejects(store.mailboxes.deliver(batch, Date.now()), StoreFull);
      assert.equal(await store.mailboxes.state(accountId), state);
      assert.equal((await store.mailboxes.usage([accountId])).get(accountId)?.messages, fillers.length);
      assert.equal((await store.deliveries.ofMessage(batch[0]!.messageId))[0]?.state, 'leased');
      for (const id of fillers) await store.mailboxes.destroy(accountId, id, { now: Date.now() });
      const answers = await store.mailboxes.deliver(batch, Date.now());
      assert.deepEqual(new Set(answers.map(({ answer }) => answer)), new Set(['delivered']));
    } finally {
      await store.close();
    }
  });
});

/** Drafts until there is no room for another, the last ones small. */
async function fill(store: OpenMailboxes, accountId: string): Promise<string[]> {
  const ids: string[] = [];
  for (const sizeBytes of [100_000, 1_000]) {
    const body = { kind: 'inline', bytes: new Uint8Array(sizeBytes) } as const;
    for (let isFull = false; !isFull; ) {
      try {
        ids.push((await store.mailboxes.append(accountId, appended('A draft', { body, sizeBytes }))).id);
      } catch (error) {
        if (!(error instanceof StoreFull)) throw error;
        isFull = true;
      }
    }
  }
  return ids;
}

async function open(options: { maxPageCount?: number } = {}): Promise<OpenMailboxes> {
  const folder = await mkdtemp(join(tmpdir(), 'waypost-mailboxes-'));
  const engine = await Engine.open({ file: join(folder, 'waypost.db'), ...options });
  const directory = sqliteDirectoryAdmin(engine);
  await directory.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
  return {
    mailboxes: sqliteMailboxes(engine),
    spool: sqliteSpool(engine),
    deliveries: sqliteDeliveries(engine),
    partitions: sqlitePartitions(engine),
    features: { search: true },
    async addAccount(id) {
      const key = `${id}@example.test`;
      const quota = { bytes: null, messages: null };
      const account = {
        id,
        key,
        address: key,
        displayName: null,
        enabled: true,
        admin: false,
        quota,
        credentialVersion: 1,
        createdAt: 1,
      };
      await directory.addAccount(account, 'hash');
    },
    removeAccountFromDirectory: (id) => directory.removeAccount(id, 1),
    async close() {
      await engine.close();
      await rm(folder, { recursive: true });
    },
  };
}
