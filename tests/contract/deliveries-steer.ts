import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { DeliveryState } from '../../libs/delivery/state.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { SteerAction } from '../../libs/store/ports/deliveries.ts';
import { delivered, permanent, type QueueUnderTest, returned, rowOf, stateOf, temporary } from './deliveries-owner.ts';
import { until } from './partitions.ts';
import { allPartitions, enqueue, hourMs, makeMessage } from './spool-messages.ts';

/** What operators ask. */
export function steerCases(under: () => QueueUnderTest): void {
  const steer = (id: string, action: SteerAction, now = Date.now()) =>
    under().store.deliveries.steer({ id, action, now, actor: 'admin@example.test' });

  /** A row in each state that a table of expectations names. */
  async function inState(state: DeliveryState): Promise<string> {
    const { store, owner } = under();
    const message = makeMessage();
    const [id = ''] = await enqueue(store.spool, message);
    if (state === 'queued') return id;
    if (state === 'held' || state === 'cancelled') {
      await steer(id, state === 'held' ? 'hold' : 'cancel');
      return id;
    }
    const claim = (await owner.claim([id]))[0]!.claim!;
    if (state === 'deferred') await owner.record(id, claim, temporary(Date.now() + hourMs));
    if (state === 'delivered') await owner.record(id, claim, delivered);
    if (state === 'failed' || state === 'reporting' || state === 'bounced') await owner.record(id, claim, permanent);
    const { messageId } = message;
    if (state === 'reporting' || state === 'bounced')
      await store.deliveries.startReport({ messageId, now: Date.now() });
    if (state === 'bounced') await store.deliveries.finishReport({ messageId, report: 1, now: Date.now() });
    return id;
  }

  const refused = { hold: 'refused', release: 'refused', retry: 'refused', cancel: 'refused' } as const;
  const expected: Record<DeliveryState, Record<SteerAction, DeliveryState | 'refused' | 'pending'>> = {
    queued: { hold: 'held', release: 'refused', retry: 'queued', cancel: 'cancelled' },
    deferred: { hold: 'held', release: 'refused', retry: 'deferred', cancel: 'cancelled' },
    held: { hold: 'refused', release: 'queued', retry: 'refused', cancel: 'cancelled' },
    leased: { hold: 'pending', release: 'refused', retry: 'refused', cancel: 'pending' },
    failed: refused,
    reporting: refused,
    delivered: refused,
    bounced: refused,
    cancelled: refused,
  };

  for (const [state, actions] of Object.entries(expected) as [DeliveryState, (typeof expected)[DeliveryState]][]) {
    it(`a ${state} row: ${Object.entries(actions)
      .map(([action, then]) => `${action} → ${then}`)
      .join(', ')}`, async () => {
      const { store } = under();
      for (const [action, then] of Object.entries(actions) as [SteerAction, DeliveryState | 'refused' | 'pending'][]) {
        const id = await inState(state);
        assert.equal(await stateOf(store, id), state);
        const answer = await steer(id, action);
        assert.equal(answer, then === 'refused' || then === 'pending' ? then : 'done', action);
        assert.equal(await stateOf(store, id), then === 'refused' || then === 'pending' ? state : then, action);
      }
    });
  }

  it('a wish on a leased row applies when its attempt ends, but a 250 and a 5xx outrun it', async () => {
    const { store, owner } = under();
    const ends = [
      ['cancel', temporary(Date.now()), 'cancelled'],
      ['hold', temporary(Date.now()), 'held'],
      ['cancel', returned, 'cancelled'],
      ['hold', delivered, 'delivered'],
      ['cancel', permanent, 'failed'],
    ] as const;
    for (const [action, result, state] of ends) {
      const { ids, claim } = await owner.leased(makeMessage());
      const id = ids[0]!;
      assert.equal(await steer(id, action), 'pending');
      assert.equal((await rowOf(store, id)).wanted, action);
      assert.deepEqual(await owner.record(id, claim, result), { answer: 'recorded', state });
      assert.equal((await rowOf(store, id)).wanted, undefined);
    }
  });

  it('a wish on a leased row applies when its lease ends; a held wish can be taken back', async () => {
    const { store, owner } = under();
    const { ids } = await owner.leased(makeMessage({ to: [{}, {}, {}] }), 200);
    const [cancel = '', hold = '', release = ''] = ids;
    await steer(cancel, 'cancel');
    await steer(hold, 'hold');
    await steer(release, 'hold');
    assert.equal(await steer(release, 'release'), 'done');
    const ended: string[] = [];
    while (ended.length < 3) {
      const rows = await until(() =>
        store.deliveries.expireLeases({ partitions: allPartitions, now: Date.now(), limit: 10 }),
      );
      ended.push(...rows.map((row) => row.id));
    }
    assert.deepEqual(await Promise.all(ids.map((id) => stateOf(store, id))), ['cancelled', 'held', 'queued']);
  });

  it('retry makes a deferred row due now, release leaves its time, and both can be claimed again', async () => {
    const { store, owner } = under();
    const now = Date.now();
    const retried = await inState('deferred');
    await steer(retried, 'retry', now);
    assert.equal((await rowOf(store, retried)).dueAt, now);
    assert.equal((await owner.claim([retried], { now })).length, 1);
    const released = await inState('deferred');
    const { dueAt } = await rowOf(store, released);
    await steer(released, 'hold');
    await steer(released, 'release');
    assert.deepEqual([(await rowOf(store, released)).state, (await rowOf(store, released)).dueAt], ['deferred', dueAt]);
    assert.equal((await owner.claim([released], { now: dueAt })).length, 1);
  });

  it('held and cancelled rows are never due, and what an operator did is in the trace', async () => {
    const { store, owner } = under();
    const ids = [await inState('held'), await inState('cancelled')];
    assert.deepEqual(await owner.claim(ids), []);
    const due = await store.deliveries.due({
      partitions: allPartitions,
      now: Date.now(),
      perDestination: 1000,
      limit: 1000,
    });
    for (const row of due) assert.ok(!ids.includes(row.id));
    const { attempts } = (await store.deliveries.get(ids[0]!))!;
    assert.equal(attempts[0]!.event, 'hold');
    assert.ok(attempts[0]!.reply.includes('admin@example.test'));
  });

  it('what is not there is absent', async () => {
    for (const id of [`${newId()}/0`, 'nonsense', '', `${newId()}/x`]) assert.equal(await steer(id, 'hold'), 'absent');
    assert.equal(await under().store.deliveries.get(`${newId()}/0`), undefined);
  });
}
