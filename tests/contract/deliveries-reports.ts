import assert from 'node:assert/strict';
import { it } from 'node:test';
import { partitionOfMessage } from '../../libs/delivery/partition.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { delivered, type QueueUnderTest, stateOf } from './deliveries-owner.ts';
import { allPartitions, enqueue, makeMessage } from './spool-messages.ts';

/** From a failure to its report, with a crash at each step. */
export function reportCases(under: () => QueueUnderTest): void {
  const failing = async (messagePartitions: readonly number[] = allPartitions) =>
    under().store.deliveries.owing({ messagePartitions, limit: 1000 });

  it('messages with failures are named once, oldest first, by their partition, until their report is finished', async () => {
    const { store, owner } = under();
    const acceptedAt = Date.now();
    const [first, second] = [makeMessage({ acceptedAt, to: [{}, {}] }), makeMessage({ acceptedAt: acceptedAt + 1 })];
    await owner.failed(first);
    await owner.failed(second);
    assert.deepEqual(await failing(), [first.messageId, second.messageId]);
    assert.deepEqual(await store.deliveries.owing({ messagePartitions: allPartitions, limit: 1 }), [first.messageId]);
    const own = partitionOfMessage(first.messageId);
    assert.ok((await failing([own])).includes(first.messageId));
    assert.ok(!(await failing(allPartitions.filter((partition) => partition !== own))).includes(first.messageId));
    for (const { messageId } of [first, second]) {
      const started = await store.deliveries.startReport({ messageId, now: Date.now() });
      assert.ok((await failing()).includes(messageId), 'a started report is still owed');
      await store.deliveries.finishReport({ messageId, report: started!.report, now: Date.now() });
    }
    assert.deepEqual(await failing(), []);
  });

  it('a report takes all failures of the message and nothing else, and ends them as bounced', async () => {
    const { store, owner } = under();
    const message = makeMessage({ to: [{}, {}, {}] });
    const { messageId } = message;
    const ids = await enqueue(store.spool, message);
    const [one = '', two = '', open = ''] = ids;
    const claim = (await owner.claim([one, two]))[0]!.claim!;
    for (const id of [one, two])
      await owner.record(id, claim, { kind: 'failed', reply: '550 no', replyClass: 'permanent' });
    const started = await store.deliveries.startReport({ messageId, now: Date.now() });
    assert.equal(started!.report, 1);
    assert.deepEqual(
      started!.rows.map(({ id, state, report }) => `${id} ${state} ${report}`).sort(),
      [`${one} reporting 1`, `${two} reporting 1`].sort(),
    );
    await store.deliveries.finishReport({ messageId, report: 1, now: Date.now() });
    await store.deliveries.finishReport({ messageId, report: 1, now: Date.now() });
    assert.deepEqual(await Promise.all([one, two, open].map((id) => stateOf(store, id))), [
      'bounced',
      'bounced',
      'queued',
    ]);
    assert.equal(await store.deliveries.startReport({ messageId, now: Date.now() }), undefined);
  });

  it('a crash between start and finish: the next reporter gets the same report with the same rows', async () => {
    const { store, owner } = under();
    const message = makeMessage({ to: [{}, {}] });
    const { messageId } = message;
    const [first = '', second = ''] = await enqueue(store.spool, message);
    const claims = await owner.claim([first, second]);
    const claim = claims[0]!.claim!;
    await owner.record(first, claim, { kind: 'failed', reply: '550 no', replyClass: 'permanent' });
    const started = await store.deliveries.startReport({ messageId, now: Date.now() });
    await owner.record(second, claim, { kind: 'failed', reply: '550 no', replyClass: 'permanent' });
    const again = await store.deliveries.startReport({ messageId, now: Date.now() });
    assert.equal(again!.report, started!.report);
    assert.deepEqual(
      again!.rows.map((row) => row.id),
      [first],
      'a failure that came since is not in a report that may have been sent',
    );
    await store.deliveries.finishReport({ messageId, report: again!.report, now: Date.now() });
    assert.deepEqual(await Promise.all([first, second].map((id) => stateOf(store, id))), ['bounced', 'failed']);
    const next = await store.deliveries.startReport({ messageId, now: Date.now() });
    assert.deepEqual([next!.report, next!.rows.map((row) => row.id)], [2, [second]]);
  });

  it('reporters that start at once share one report', async () => {
    const { store, owner } = under();
    const message = makeMessage({ to: [{}, {}, {}] });
    const ids = await owner.failed(message);
    const request = { messageId: message.messageId, now: Date.now() };
    const started = await Promise.all([1, 2, 3].map(() => store.deliveries.startReport(request)));
    for (const answer of started) {
      assert.equal(answer!.report, 1);
      assert.deepEqual(answer!.rows.map((row) => row.id).sort(), [...ids].sort());
    }
  });

  it('a late 250 turns a failure into delivered until its report has started, not after', async () => {
    const { store, owner } = under();
    const { ids, claim } = await owner.leased(makeMessage());
    const id = ids[0]!;
    await owner.record(id, claim, { kind: 'failed', reply: '550 no', replyClass: 'permanent' });
    const [messageId = ''] = id.split('/');
    await store.deliveries.startReport({ messageId, now: Date.now() });
    assert.deepEqual(await owner.record(id, claim, delivered), { answer: 'stale', state: 'reporting' });
    await store.deliveries.finishReport({ messageId, report: 1, now: Date.now() });
    assert.deepEqual(await owner.record(id, claim, delivered), { answer: 'stale', state: 'bounced' });
  });

  it('what is not there has no report', async () => {
    const { store } = under();
    assert.equal(await store.deliveries.startReport({ messageId: newId(), now: Date.now() }), undefined);
    await store.deliveries.finishReport({ messageId: newId(), report: 1, now: Date.now() });
    assert.deepEqual(await store.deliveries.ofMessage(newId()), []);
  });
}
