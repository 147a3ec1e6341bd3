import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { dayMs, enqueue, hourMs, makeMessage, type OpenQueue } from './spool-messages.ts';

/** When bodies go. Times are told to the store, so that days pass at once. */
export function spoolCollectionContract(name: string, open: () => Promise<OpenQueue>): void {
  describe(`collection of bodies: ${name}`, () => {
    let store: OpenQueue;
    before(async () => {
      store = await open();
    });
    after(() => store.close());

    const collect = (now: number) => store.spool.collect({ now, keepMs: dayMs, limit: 1000 });
    const isThere = async (messageId: string): Promise<boolean> => (await store.spool.read([messageId])).has(messageId);
    const end = (id: string, now: number) => store.deliveries.steer({ id, action: 'cancel', now, actor: 'admin' });

    it('a body stays while a delivery is open, and at least a day after the last has ended', async () => {
      const at = Date.now();
      const message = makeMessage({ acceptedAt: at, to: [{}, {}] });
      const [first = '', second = ''] = await enqueue(store.spool, message);
      await end(first, at);
      for (let day = 1; day <= 4; day++) await collect(at + day * dayMs + 1);
      assert.ok(await isThere(message.messageId), 'one delivery is open');
      await end(second, at + 4 * dayMs);
      await collect(at + 5 * dayMs - hourMs);
      assert.ok(await isThere(message.messageId), 'the last ended less than a day ago');
      let removed = 0;
      for (let hours = 0; hours <= 72; hours += 6) removed += (await collect(at + 5 * dayMs + hours * hourMs)).removed;
      assert.equal(removed, 1);
      assert.ok(!(await isThere(message.messageId)));
    });

    it('deletion waits another day after it has found nothing that refers to the body', async () => {
      const at = Date.now();
      const message = makeMessage({ acceptedAt: at });
      const [id = ''] = await enqueue(store.spool, message);
      await end(id, at);
      assert.equal((await collect(at + 3 * dayMs)).removed, 0, 'marked');
      assert.equal((await collect(at + 4 * dayMs - hourMs)).removed, 0, 'waits');
      assert.ok(await isThere(message.messageId));
      assert.equal((await collect(at + 4 * dayMs + 1)).removed, 1);
    });

    it('deliveries are known after their body has gone, and a late repeat of the accept resurrects nothing', async () => {
      const at = Date.now();
      const message = makeMessage({ acceptedAt: at });
      const [id = ''] = await enqueue(store.spool, message);
      await end(id, at);
      await collect(at + 3 * dayMs);
      await collect(at + 5 * dayMs);
      assert.ok(!(await isThere(message.messageId)));
      assert.equal((await store.deliveries.get(id))?.row.state, 'cancelled');
      await store.spool.accept(message);
      await store.spool.fanOut(message.messageId);
      assert.deepEqual(
        (await store.deliveries.ofMessage(message.messageId)).map((row) => row.state),
        ['cancelled'],
      );
    });

    it('the blobs of bodies that went are named once, and nothing refers to them', async () => {
      const at = Date.now();
      const message = makeMessage({ acceptedAt: at, body: { kind: 'blob', ref: 'collected-blob' } });
      const [id = ''] = await enqueue(store.spool, message);
      await end(id, at);
      const blobs: string[] = [];
      for (let day = 2; day < 8; day++) blobs.push(...(await collect(at + day * dayMs)).blobs);
      assert.deepEqual(blobs, ['collected-blob']);
      assert.equal((await store.spool.referredBlobs(['collected-blob'])).size, 0);
    });

    it('no more bodies than the limit go in one call', async () => {
      const at = Date.now();
      for (let many = 0; many < 5; many++) {
        const [id = ''] = await enqueue(store.spool, makeMessage({ acceptedAt: at }));
        await end(id, at);
      }
      await collect(at + 3 * dayMs);
      const step = await store.spool.collect({ now: at + 5 * dayMs, keepMs: dayMs, limit: 2 });
      assert.equal(step.removed, 2);
    });
  });
}
