import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Courier } from './mailboxes-courier.ts';
import type { OpenMailboxes } from './mailboxes.ts';
import { dayMs, sha256 } from './spool-messages.ts';

/** Bodies that mailboxes refer to: the collection and the mailboxes of one store. */
export function spoolReferencesContract(name: string, open: () => Promise<OpenMailboxes>): void {
  describe(`bodies in mailboxes: ${name}`, () => {
    let store: OpenMailboxes;
    let courier: Courier;
    before(async () => {
      store = await open();
      courier = new Courier(store);
    });
    after(() => store.close());

    async function collectDaily(from: number, days: number): Promise<number> {
      let removed = 0;
      for (let day = 0; day <= days; day++) {
        removed += (await store.spool.collect({ now: from + day * dayMs, keepMs: dayMs, limit: 100 })).removed;
      }
      return removed;
    }

    it('promise 9: a body stays as long as a mailbox has its message, also when its deliveries have gone, and goes after it', async () => {
      const accountId = await courier.account();
      const now = Date.now();
      const [kept, destroyed] = [await courier.bring(accountId), await courier.bring(accountId)];
      assert.equal(await collectDaily(now, 40), 0);
      assert.equal(await store.deliveries.purge({ before: now + 9 * dayMs, limit: 100 }), 2);
      await store.mailboxes.destroy(accountId, destroyed.id, { now: now + 40 * dayMs });
      assert.equal(await collectDaily(now + 40 * dayMs, 40), 1);
      const { body } = await store.mailboxes.raw(accountId, kept.id);
      assert.ok(body.kind === 'inline');
      const found = await store.spool.read([kept.messageId, destroyed.messageId]);
      assert.deepEqual([...found.keys()], [kept.messageId]);
      assert.equal(sha256(body.bytes), found.get(kept.messageId)?.sha256);
    });
  });
}
