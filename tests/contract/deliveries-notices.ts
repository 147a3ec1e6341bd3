import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Target } from '../../libs/delivery/row.ts';
import { delivered, permanent, type QueueUnderTest, rowOf, temporary } from './deliveries-owner.ts';
import { allPartitions, dayMs, enqueue, hourMs, makeMessage } from './spool-messages.ts';

const far: Partial<Target> = { kind: 'remote', recipient: 'bob@far.test', destination: 'far.test' };

/** What senders are owed besides failures: set with what makes it so, told once, with a crash at each step. */
export function noticeCases(under: () => QueueUnderTest): void {
  const noteDelays = async (now: number, limit = 100): Promise<number> =>
    under().store.deliveries.noteDelays({ partitions: allPartitions, now, limit });
  const owes = async (id: string) => (await rowOf(under().store, id)).owes;
  const owing = async (): Promise<readonly string[]> =>
    under().store.deliveries.owing({ messagePartitions: allPartitions, limit: 1000 });

  /** One far recipient whose notice is due four hours after `at`. */
  async function waiting(at: number, ...more: Partial<Target>[]) {
    const to = [far, ...more].map((target) => ({ ...target, noticeAt: at + 4 * hourMs, rank: at }));
    const message = makeMessage({ acceptedAt: at, to });
    const ids = await enqueue(under().store.spool, message);
    return { messageId: message.messageId, ids, id: ids[0]! };
  }

  it('a row that waits past the time of its notice owes it once, tried or not, and not before', async () => {
    const { owner } = under();
    const at = Date.now();
    const { id, ids, messageId } = await waiting(at, {});
    const [claimed] = await owner.claim([id], { now: at });
    await owner.record(id, claimed!.claim!, temporary(at + dayMs));
    assert.equal(await noteDelays(at + 4 * hourMs - 1), 0);
    assert.ok(!(await owing()).includes(messageId));
    assert.equal(await noteDelays(at + 4 * hourMs), 2);
    assert.deepEqual(await Promise.all(ids.map(owes)), ['delay', 'delay']);
    assert.equal((await rowOf(under().store, id)).noticeAt, undefined);
    assert.ok((await owing()).includes(messageId));
    assert.equal(await noteDelays(at + 5 * hourMs), 0);
    await under().store.deliveries.expireRows({ partitions: allPartitions, now: at + 6 * dayMs, limit: 100 });
  });

  it('a leased row owes its notice when it waits again, an expired one never', async () => {
    const { store, owner } = under();
    const at = Date.now();
    const { id } = await waiting(at);
    const [claimed] = await owner.claim([id], { now: at });
    assert.equal(await noteDelays(at + 5 * hourMs), 0);
    await owner.record(id, claimed!.claim!, temporary(at + 6 * hourMs));
    assert.equal(await noteDelays(at + 6 * dayMs), 0, 'its failure is told');
    assert.equal(await noteDelays(at + 5 * hourMs), 1);
    const late = await waiting(at);
    const expired = await store.deliveries.expireRows({ partitions: allPartitions, now: at + 6 * dayMs, limit: 100 });
    assert.deepEqual(expired.map((row) => row.id).toSorted(), [id, late.id].toSorted());
    assert.deepEqual([await owes(id), await owes(late.id)], [undefined, undefined], 'it waits no more');
  });

  it('rows without the time of a notice are never noted, and expire at theirs', async () => {
    const { store } = under();
    const at = Date.now();
    const [id = ''] = await enqueue(store.spool, makeMessage({ acceptedAt: at, to: [far] }));
    assert.equal(await noteDelays(at + 4 * dayMs), 0);
    const query = { partitions: allPartitions, limit: 100 };
    assert.deepEqual(await store.deliveries.expireRows({ ...query, now: at + 5 * dayMs - 1 }), []);
    const expired = await store.deliveries.expireRows({ ...query, now: at + 5 * dayMs });
    assert.deepEqual(
      expired.map((row) => row.id),
      [id],
    );
  });

  it('a notice of a delay that is over is owed no more', async () => {
    const { owner } = under();
    const at = Date.now();
    const { ids } = await waiting(at, {}, {});
    await noteDelays(at + 4 * hourMs);
    const [one = '', two = '', three = ''] = ids;
    const claim = (await owner.claim(ids, { now: at }))[0]!.claim!;
    await owner.record(one, claim, delivered);
    await owner.record(two, claim, permanent);
    assert.deepEqual(await Promise.all(ids.map(owes)), [undefined, undefined, 'delay']);
    await owner.record(three, claim, temporary(at + dayMs));
    assert.equal(await owes(three), 'delay', 'it waits on');
  });

  it('success is owed with the outcome, of what was handed on without DSN, when the sender asked for it', async () => {
    const { owner } = under();
    const notify = ['SUCCESS'] as const;
    const to = [{ ...far, notify }, { ...far, notify }, { ...far }, { ...far, notify: 'NEVER' as const }];
    const { ids, claim } = await owner.leased(makeMessage({ to }));
    const relayed = { ...delivered, relayed: true } as const;
    for (const [n, id] of ids.entries()) await owner.record(id, claim, n === 1 ? delivered : relayed);
    assert.deepEqual(await Promise.all(ids.map(owes)), ['success', undefined, undefined, undefined]);
    // Told again under the same claim, it is owed once.
    await owner.record(ids[0]!, claim, relayed);
    assert.equal(await owes(ids[0]!), 'success');
    const nobody = makeMessage({
      to: [{ ...far, notify }],
      envelope: { reversePath: '', smtputf8: false, body: '7BIT' },
    });
    const silent = await owner.leased(nobody);
    await owner.record(silent.ids[0]!, silent.claim, relayed);
    assert.equal(await owes(silent.ids[0]!), undefined);
  });

  it('a late 250 owes success as well', async () => {
    const { owner } = under();
    const { ids, claim } = await owner.leased(makeMessage({ to: [{ ...far, notify: ['SUCCESS'] }] }));
    await owner.record(ids[0]!, claim, permanent);
    await owner.record(ids[0]!, claim, { ...delivered, relayed: true });
    assert.equal(await owes(ids[0]!), 'success');
  });

  it('a crash between start and finish: the next reporter gets the same notice with the same rows', async () => {
    const { store, owner } = under();
    const at = Date.now();
    const { ids, messageId } = await waiting(at, { noticeAt: at + 8 * hourMs });
    const request = { messageId, kind: 'delay' } as const;
    assert.equal(await store.deliveries.startNotice(request), undefined);
    const [first = '', second = ''] = ids;
    const claim = (await owner.claim([second], { now: at }))[0]!.claim!;
    await noteDelays(at + 4 * hourMs);
    const started = await Promise.all([1, 2].map(() => store.deliveries.startNotice(request)));
    await owner.record(second, claim, temporary(at + dayMs));
    assert.equal(await noteDelays(at + 8 * hourMs), 1);
    for (const answer of [...started, await store.deliveries.startNotice(request)])
      assert.deepEqual([answer?.notice, answer?.rows.map(({ id }) => id)], [started[0]?.notice, [first]]);
    const { notice } = started[0]!;
    await store.deliveries.finishNotice({ ...request, notice, now: at, reply: 'message 1' });
    await store.deliveries.finishNotice({ ...request, notice, now: at, reply: 'message 1' });
    assert.deepEqual(await Promise.all(ids.map(owes)), [undefined, 'delay']);
    const traced = (await store.deliveries.get(first))?.attempts.filter(({ event }) => event === 'delay reported');
    assert.deepEqual(traced, [{ at, event: 'delay reported', reply: 'message 1' }]);
    const next = await store.deliveries.startNotice(request);
    assert.notEqual(next?.notice, notice, 'another notice has another number');
    assert.deepEqual(
      next?.rows.map(({ id }) => id),
      [second],
    );
    await store.deliveries.finishNotice({ ...request, notice: next!.notice, now: at, reply: 'message 2' });
    assert.equal(await store.deliveries.startNotice(request), undefined);
    assert.ok(!(await owing()).includes(messageId));
  });

  it('success has a number of its own after a delay, and neither kind ends the other', async () => {
    const { store, owner } = under();
    const at = Date.now();
    const { id, messageId } = await waiting(at, {});
    const [claimed] = await owner.claim([id], { now: at });
    await owner.record(id, claimed!.claim!, temporary(at));
    await noteDelays(at + 4 * hourMs);
    const delay = await store.deliveries.startNotice({ messageId, kind: 'delay' });
    await store.deliveries.finishNotice({ messageId, kind: 'success', notice: delay!.notice, now: at, reply: 'no' });
    assert.equal(await owes(id), 'delay');
    assert.equal(await store.deliveries.startNotice({ messageId, kind: 'success' }), undefined);
  });

  it('a message is owing until both its failure and its notices are told', async () => {
    const { store, owner } = under();
    const to = [far, { ...far, notify: ['SUCCESS' as const] }];
    const message = makeMessage({ to });
    const { messageId } = message;
    const { ids, claim } = await owner.leased(message);
    await owner.record(ids[0]!, claim, permanent);
    await owner.record(ids[1]!, claim, { ...delivered, relayed: true });
    const started = await store.deliveries.startReport({ messageId, now: Date.now() });
    await store.deliveries.finishReport({ messageId, report: started!.report, now: Date.now() });
    assert.ok((await owing()).includes(messageId));
    const notice = await store.deliveries.startNotice({ messageId, kind: 'success' });
    await store.deliveries.finishNotice({
      messageId,
      kind: 'success',
      notice: notice!.notice,
      now: Date.now(),
      reply: 'message 1',
    });
    assert.ok(!(await owing()).includes(messageId));
  });
}
