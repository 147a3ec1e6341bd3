import assert from 'node:assert/strict';
import { it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import type { DeliveryFilter } from '../../libs/store/ports/deliveries.ts';
import { delivered, permanent, type QueueUnderTest, temporary } from './deliveries-owner.ts';
import { until } from './partitions.ts';
import { dayMs, enqueue, hourMs, makeMessage } from './spool-messages.ts';

/** What the queue's API shows. */
export function queueCases(under: () => QueueUnderTest): void {
  async function idsOf(filter: DeliveryFilter, limit = 100): Promise<string[]> {
    return (await under().store.deliveries.list(filter, { limit })).map((row) => row.id);
  }

  it('counts are exact as of their time: rows by state, destinations that wait, the oldest due', async () => {
    const { store, owner } = under();
    const at = Date.now() - 5_000;
    const to = [{}, {}, {}, {}, {}].map(() => ({ kind: 'remote', destination: 'counted.example' }) as const);
    const { ids, claim } = await owner.leased(makeMessage({ acceptedAt: at, to }));
    await owner.record(ids[0]!, claim, delivered);
    await owner.record(ids[1]!, claim, permanent);
    await owner.record(ids[2]!, claim, temporary(Date.now() + hourMs));
    const [waits = '', held = ''] = await enqueue(store.spool, makeMessage({ acceptedAt: at, to: to.slice(0, 2) }));
    await store.deliveries.steer({ id: held, action: 'hold', now: Date.now(), actor: 'admin' });
    const counts = await countsSince(Date.now());
    const { byState } = counts;
    assert.deepEqual(byState, {
      queued: 1,
      leased: 2,
      deferred: 1,
      held: 1,
      failed: 1,
      reporting: 0,
      delivered: 1,
      bounced: 0,
      cancelled: 0,
    });
    assert.deepEqual([counts.destinations, counts.oldestDueAt], [1, at]);
    await store.deliveries.steer({ id: waits, action: 'cancel', now: Date.now(), actor: 'admin' });
    const after = await countsSince(Date.now());
    assert.deepEqual([after.byState.queued, after.byState.cancelled], [0, 1]);
  });

  it('counts of destinations tell what is due, waits, is leased and is held there, and nothing that has ended', async () => {
    const { store, owner } = under();
    const at = Date.now() - 5_000;
    const to = (destination: string, many: number, change: object = {}) =>
      Array.from({ length: many }, () => ({ kind: 'remote', destination, ...change }) as const);
    const { ids, claim } = await owner.leased(makeMessage({ acceptedAt: at, to: to('one.example', 4) }));
    await owner.record(ids[0]!, claim, delivered);
    await owner.record(ids[1]!, claim, permanent);
    await owner.record(ids[2]!, claim, temporary(Date.now() + hourMs));
    const more = [...to('one.example', 3), ...to('two.example', 2, { dueAt: Date.now() + hourMs })];
    const [held = ''] = await enqueue(store.spool, makeMessage({ acceptedAt: at, to: more }));
    await store.deliveries.steer({ id: held, action: 'hold', now: Date.now(), actor: 'admin' });
    const counts = await store.deliveries.destinationCounts(['one.example', 'two.example', 'none.example']);
    assert.deepEqual(counts.get('one.example'), { ready: 2, deferred: 1, leased: 1, held: 1 });
    assert.deepEqual(counts.get('two.example'), { ready: 0, deferred: 2, leased: 0, held: 0 });
    assert.equal(counts.get('none.example'), undefined);
    assert.equal((await store.deliveries.destinationCounts([])).size, 0);
  });

  async function countsSince(time: number) {
    const [counts] = await until(async () => {
      const found = await under().store.deliveries.counts();
      return found.asOf >= time ? [found] : [];
    });
    return counts!;
  }

  it('each filter finds its rows and no others, newest first; filters add up', async () => {
    const { store, owner } = under();
    const at = Date.now() - dayMs;
    const envelope = { reversePath: 'anna@sender.example', smtputf8: false, body: '7BIT' } as const;
    const message = makeMessage({
      acceptedAt: at,
      envelope,
      to: [
        { kind: 'remote', destination: 'found.example', recipient: 'x@found.example' },
        { kind: 'inbox', recipient: 'Bob@Filtered.example' },
        { kind: 'remote', destination: 'found.example', recipient: 'y@found.example' },
      ],
    });
    const [x = '', bob = '', y = ''] = await enqueue(store.spool, message);
    const { destination } = message.targets[1]!;
    const claim = (await owner.claim([y]))[0]!.claim!;
    await owner.record(y, claim, { ...permanent, reply: '550 5.7.1 Mailbox Is Weird' });
    const newest = (await enqueue(store.spool, makeMessage({ envelope })))[0]!;
    const expected: [DeliveryFilter, string[]][] = [
      [{ sender: 'anna@sender.example' }, [newest, y, bob, x]],
      [{ recipient: 'x@found.example' }, [x]],
      [{ destination: 'found.example' }, [y, x]],
      [{ destination }, [bob]],
      [{ domain: 'found.example' }, [y, x]],
      [{ domain: 'filtered.example' }, [bob]],
      [{ error: 'mailbox is weird' }, [y]],
      [{ error: 'Mailbox Is Weird', state: 'failed' }, [y]],
      [{ error: 'mailbox is weird', state: 'queued' }, []],
      [{ sender: 'anna@sender.example', acceptedBefore: at + 1 }, [y, bob, x]],
      [{ sender: 'anna@sender.example', acceptedBefore: at }, []],
      [{ sender: 'anna@sender.example', acceptedAfter: at + 1 }, [newest]],
      [{ sender: 'anna@sender.example', acceptedAfter: at, acceptedBefore: at + 1 }, [y, bob, x]],
      [{ messageId: message.messageId }, [y, bob, x]],
      [{ messageId: message.messageId, state: 'failed' }, [y]],
      [{ messageId: message.messageId, domain: 'found.example', acceptedBefore: at + 1 }, [y, x]],
      [{ messageId: newId() }, []],
      [{ sender: 'anna@sender.example', state: 'queued', domain: 'found.example' }, [x]],
      [{ sender: 'nobody@sender.example' }, []],
    ];
    for (const [filter, ids] of expected) assert.deepEqual(await idsOf(filter), ids, JSON.stringify(filter));
    for (const state of ['queued', 'leased', 'failed', 'delivered', 'held'] as const) {
      for (const row of await store.deliveries.list({ state }, { limit: 100 })) assert.equal(row.state, state);
    }
    assert.ok((await idsOf({ state: 'failed' })).includes(y));
    assert.ok((await idsOf({ state: 'queued' })).includes(x));
    assert.ok((await idsOf({ state: 'leased' })).length >= 2);
    assert.ok((await idsOf({ acceptedBefore: at + 1 })).includes(bob));
  });

  it('what is looked for is text: no pattern, no other row', async () => {
    const { owner } = under();
    const { ids, claim } = await owner.leased(makeMessage());
    await owner.record(ids[0]!, claim, { ...permanent, reply: '550 100% [sure] a.b' });
    for (const error of ['100% [SURE]', 'A.B']) assert.deepEqual(await idsOf({ error }), ids);
    for (const error of ['100_', '.*', 'a%b', '[s]']) assert.deepEqual(await idsOf({ error }), []);
    assert.deepEqual(await idsOf({ sender: "' OR 1=1 --" }), []);
  });

  it('pages follow one another while mail arrives and rows change: nothing twice, nothing left out', async () => {
    const { store, owner } = under();
    const sender = 'pages@sender.example';
    const envelope = { reversePath: sender, smtputf8: false, body: '7BIT' } as const;
    const expected: string[] = [];
    for (let many = 0; many < 6; many++)
      expected.unshift(...(await enqueue(store.spool, makeMessage({ envelope, to: [{}, {}] }))).reverse());
    for (const filter of [{ sender }, {}] as DeliveryFilter[]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let pages = 0; pages < 50; pages++) {
        const page = await store.deliveries.list(filter, cursor === undefined ? { limit: 3 } : { limit: 3, cursor });
        if (page.length === 0) break;
        seen.push(...page.map((row) => row.id));
        cursor = page.at(-1)!.id;
        await enqueue(store.spool, makeMessage({ envelope }));
        await owner.claim([page[0]!.id]);
      }
      assert.equal(new Set(seen).size, seen.length);
      assert.deepEqual(
        seen.filter((id) => expected.includes(id)),
        expected,
      );
    }
  });

  it('finished rows go when they are old, their trace with them; open ones stay', async () => {
    const { store, owner } = under();
    const at = Date.now() - 20 * dayMs;
    const { ids, claim } = await owner.leased(makeMessage({ acceptedAt: at, to: [{}, {}, {}] }));
    const [old = '', recent = '', open = ''] = ids;
    await owner.record(old, claim, delivered, at + dayMs);
    await owner.record(recent, claim, delivered, at + 15 * dayMs);
    assert.equal(await store.deliveries.purge({ before: at + 8 * dayMs, limit: 100 }), 1);
    assert.equal(await store.deliveries.get(old), undefined);
    assert.deepEqual(
      (await store.deliveries.ofMessage(ids[0]!.split('/')[0]!)).map((row) => row.id),
      [recent, open],
    );
    assert.equal(await store.deliveries.purge({ before: at + 8 * dayMs, limit: 100 }), 0);
    await store.spool.fanOut(ids[0]!.split('/')[0]!);
    assert.equal(await store.deliveries.purge({ before: at + 16 * dayMs, limit: 0 }), 0);
    assert.equal(await store.deliveries.purge({ before: at + 16 * dayMs, limit: 100 }), 1);
  });
}
