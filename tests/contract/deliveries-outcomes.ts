import assert from 'node:assert/strict';
import { it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { delivered, permanent, type QueueUnderTest, returned, rowOf, stateOf, temporary } from './deliveries-owner.ts';
import { until } from './partitions.ts';
import { allPartitions, enqueue, hourMs, makeMessage } from './spool-messages.ts';

/** What the end of an attempt writes, and who may write it. */
export function outcomeCases(under: () => QueueUnderTest): void {
  const endLeases = () =>
    until(() => under().store.deliveries.expireLeases({ partitions: allPartitions, now: Date.now(), limit: 100 }));

  it('each outcome of the holder is recorded, with its reply and one line in the trace', async () => {
    const { store, owner } = under();
    const at = Date.now();
    const { ids, claim } = await owner.leased(makeMessage({ to: [{}, {}, {}, {}] }));
    const results = [delivered, temporary(at + hourMs), permanent, returned];
    const answers = await store.deliveries.record(ids.map((id, n) => ({ id, claim, at, result: results[n]! })));
    assert.deepEqual(
      answers.map(({ id, answer, state }) => [id, answer, state]),
      ['delivered', 'deferred', 'failed', 'queued'].map((state, n) => [ids[n], 'recorded', state]),
    );
    const found = await Promise.all(ids.map((id) => store.deliveries.get(id)));
    assert.deepEqual(
      found.map((entry) => [entry!.row.attempts, entry!.row.lastReplyClass, entry!.row.lastReply, entry!.row.claim]),
      [
        [1, 'ok', delivered.reply, undefined],
        [1, 'temporary', '451 4.3.0 later', undefined],
        [1, 'permanent', permanent.reply, undefined],
        [0, undefined, undefined, undefined],
      ],
    );
    assert.equal(found[1]!.row.dueAt, at + hourMs);
    assert.deepEqual(
      found.map((entry) => entry!.attempts.map((attempt) => [attempt.at, attempt.event, attempt.reply])),
      [
        [[at, 'delivered', delivered.reply]],
        [[at, 'deferred', '451 4.3.0 later']],
        [[at, 'failed', permanent.reply]],
        [],
      ],
    );
  });

  it('the trace names the host, the address and the encryption of an attempt, as far as they are known', async () => {
    const { store, owner } = under();
    const at = Date.now();
    const { ids, claim } = await owner.leased(makeMessage({ to: [{}, {}, {}] }));
    const known = { host: 'mx.far.example', address: '192.0.2.7', tls: 'TLSv1.3' };
    const outcomes = [
      { with: known, result: temporary(at + hourMs) },
      { with: { host: 'mx.far.example' }, result: permanent },
      { result: delivered },
    ];
    await store.deliveries.record(outcomes.map((outcome, n) => ({ id: ids[n]!, claim, at, ...outcome })));
    const found = await Promise.all(ids.map((id) => store.deliveries.get(id)));
    assert.deepEqual(
      found.map((entry) => entry!.attempts),
      [
        [{ at, event: 'deferred', reply: '451 4.3.0 later', ...known }],
        [{ at, event: 'failed', reply: permanent.reply, host: 'mx.far.example' }],
        [{ at, event: 'delivered', reply: delivered.reply }],
      ],
    );
    await owner.record(ids[0]!, claim, delivered);
    assert.deepEqual((await store.deliveries.get(ids[0]!))!.attempts[0], found[0]!.attempts[0]);
  });

  it('an outcome told twice is recorded once: the reply may have been lost', async () => {
    const { store, owner } = under();
    for (const result of [delivered, temporary(Date.now()), permanent, returned]) {
      const { ids, claim } = await owner.leased(makeMessage());
      const first = await owner.record(ids[0]!, claim, result);
      const before = await store.deliveries.get(ids[0]!);
      assert.deepEqual(await owner.record(ids[0]!, claim, result), first);
      assert.deepEqual(await store.deliveries.get(ids[0]!), before);
    }
  });

  it('a stale holder is refused, and nothing changes', async () => {
    const { store, owner } = under();
    const { ids, claim } = await owner.leased(makeMessage(), 1);
    const id = ids[0]!;
    await endLeases();
    const waiting = await store.deliveries.get(id);
    for (const result of [permanent, temporary(Date.now()), returned])
      assert.deepEqual(await owner.record(id, claim, result), { answer: 'stale', state: 'queued' });
    assert.deepEqual(await store.deliveries.get(id), waiting);
    const [row] = await owner.claim([id]);
    for (const wrong of [claim, { ...row!.claim!, owner: 'other' }, { ...row!.claim!, epoch: row!.claim!.epoch + 1 }])
      assert.equal((await owner.record(id, wrong, permanent)).answer, 'stale');
    assert.equal(await stateOf(store, id), 'leased');
    assert.equal((await owner.record(id, row!.claim!, permanent)).answer, 'recorded');
    assert.equal((await owner.record(`${newId()}/0`, claim, permanent)).answer, 'stale');
  });

  it('a proven 250 counts whoever brings it, while the row is neither final nor reporting', async () => {
    const { store, owner } = under();
    const { ids, claim } = await owner.leased(makeMessage({ to: [{}, {}, {}, {}] }), 1);
    await endLeases();
    const [waits, leased, held, failed] = ids as [string, string, string, string];
    const again = await owner.claim([leased, failed]);
    await store.deliveries.steer({ id: held, action: 'hold', now: Date.now(), actor: 'admin' });
    await owner.record(failed, again[0]!.claim!, permanent);
    for (const id of [waits, leased, held, failed])
      assert.deepEqual(await owner.record(id, claim, delivered), { answer: 'recorded', state: 'delivered' });
    assert.deepEqual(await owner.record(leased, claim, delivered), { answer: 'recorded', state: 'delivered' });
    const late = await owner.record(leased, again[0]!.claim!, permanent);
    assert.deepEqual(late, { answer: 'stale', state: 'delivered' }, 'the other holder comes too late');
  });

  it('a 250 for a row that has ended otherwise changes nothing but its trace', async () => {
    const { store, owner } = under();
    const { ids, claim } = await owner.leased(makeMessage(), 1);
    const id = ids[0]!;
    await endLeases();
    await store.deliveries.steer({ id, action: 'cancel', now: Date.now(), actor: 'admin' });
    const before = (await store.deliveries.get(id))!;
    assert.deepEqual(await owner.record(id, claim, delivered), { answer: 'stale', state: 'cancelled' });
    const after = (await store.deliveries.get(id))!;
    assert.equal(after.row.state, 'cancelled');
    assert.deepEqual(
      after.attempts.slice(before.attempts.length).map((attempt) => attempt.event),
      ['delivered late'],
    );
  });

  it('each attempt counts: deferred again and again, then delivered', async () => {
    const { store, owner } = under();
    const { ids, claim } = await owner.leased(makeMessage());
    const id = ids[0]!;
    let current = claim;
    let now = Date.now();
    for (let attempt = 1; attempt <= 5; attempt++) {
      await owner.record(id, current, temporary(now + hourMs), now);
      const row = await rowOf(store, id);
      assert.deepEqual([row.state, row.attempts, row.dueAt], ['deferred', attempt, now + hourMs]);
      now += hourMs;
      current = (await owner.claim([id], { now }))[0]!.claim!;
    }
    await owner.record(id, current, delivered, now);
    const entry = (await store.deliveries.get(id))!;
    assert.deepEqual([entry.row.attempts, entry.attempts.length], [6, 6]);
  });

  it('a returned row that was tried before waits as deferred', async () => {
    const { store, owner } = under();
    const { ids, claim } = await owner.leased(makeMessage());
    const id = ids[0]!;
    const now = Date.now();
    await owner.record(id, claim, temporary(now), now);
    const [row] = await owner.claim([id], { now });
    assert.deepEqual(await owner.record(id, row!.claim!, returned), { answer: 'recorded', state: 'deferred' });
    assert.equal((await rowOf(store, id)).attempts, 1);
  });

  it('a row past its time is failed, once, whether it waits or was deferred; leased ones are not', async () => {
    const { store, owner } = under();
    const at = Date.now();
    const message = makeMessage({ acceptedAt: at, to: [{}, {}, {}].map(() => ({ expiresAt: at + hourMs })) });
    const [waits = '', deferred = '', leased = ''] = await enqueue(store.spool, message);
    const rows = await owner.claim([deferred, leased], { now: at });
    const claim = rows[0]!.claim!;
    await owner.record(deferred, claim, {
      kind: 'deferred',
      reply: '451 later',
      replyClass: 'temporary',
      nextAttemptAt: at + 2 * hourMs,
    });
    const query = { partitions: allPartitions, limit: 10 };
    assert.deepEqual(await store.deliveries.expireRows({ ...query, now: at + hourMs - 1 }), []);
    const failed = await store.deliveries.expireRows({ ...query, now: at + hourMs });
    assert.deepEqual(
      failed.map(({ id, state }) => `${id} ${state}`).sort(),
      [`${waits} failed`, `${deferred} failed`].sort(),
    );
    assert.deepEqual(await store.deliveries.expireRows({ ...query, now: at + hourMs }), []);
    assert.equal(await stateOf(store, leased), 'leased');
  });
}
