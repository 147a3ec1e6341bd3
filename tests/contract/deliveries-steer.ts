import assert from 'node:assert/strict';
import { it } from 'node:test';
import { localDestination, partitionOf } from '../../libs/delivery/partition.ts';
import type { DeliveryState } from '../../libs/delivery/state.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { Steer } from '../../libs/delivery/wish.ts';
import { delivered, permanent, type QueueUnderTest, returned, rowOf, stateOf, temporary } from './deliveries-owner.ts';
import { until } from './partitions.ts';
import type { Target } from '../../libs/delivery/row.ts';
import { allPartitions, dayMs, enqueue, hourMs, makeMessage } from './spool-messages.ts';

type SimpleAction = 'hold' | 'release' | 'retry' | 'cancel';

const refusal = '550 5.7.1 not from here';
const relay = { host: 'relay.example', port: 2525 };
const examples = {
  hold: { action: 'hold' },
  release: { action: 'release' },
  retry: { action: 'retry' },
  cancel: { action: 'cancel' },
  bounce: { action: 'bounce', reply: refusal },
  reroute: { action: 'reroute', via: relay },
  recipient: {
    action: 'recipient',
    to: { kind: 'remote', recipient: 'other@other.example', destination: 'other.example' },
  },
} as const satisfies Record<Steer['action'], Steer>;

/** What operators ask. */
export function steerCases(under: () => QueueUnderTest): void {
  const ask = (id: string, steer: Steer, now = Date.now()) =>
    under().store.deliveries.steer({ ...steer, id, now, actor: 'admin@example.test' });
  const steer = (id: string, action: SimpleAction, now = Date.now()) => ask(id, { action }, now);

  /** A row in each state that a table of expectations names. */
  async function inState(state: DeliveryState, to: Partial<Target> = {}): Promise<string> {
    const { store, owner } = under();
    const message = makeMessage({ to: [to] });
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

  const refused = {
    hold: 'refused',
    release: 'refused',
    retry: 'refused',
    cancel: 'refused',
    bounce: 'refused',
    reroute: 'refused',
    recipient: 'refused',
  } as const;
  type Then = DeliveryState | 'refused' | 'pending';
  const expected: Record<DeliveryState, Record<Steer['action'], Then>> = {
    queued: {
      hold: 'held',
      release: 'refused',
      retry: 'queued',
      cancel: 'cancelled',
      bounce: 'failed',
      reroute: 'queued',
      recipient: 'queued',
    },
    deferred: {
      hold: 'held',
      release: 'refused',
      retry: 'deferred',
      cancel: 'cancelled',
      bounce: 'failed',
      reroute: 'deferred',
      recipient: 'deferred',
    },
    held: {
      hold: 'refused',
      release: 'queued',
      retry: 'refused',
      cancel: 'cancelled',
      bounce: 'failed',
      reroute: 'held',
      recipient: 'held',
    },
    leased: {
      hold: 'pending',
      release: 'refused',
      retry: 'refused',
      cancel: 'pending',
      bounce: 'pending',
      reroute: 'pending',
      recipient: 'pending',
    },
    failed: {
      hold: 'refused',
      release: 'refused',
      retry: 'deferred',
      cancel: 'cancelled',
      bounce: 'refused',
      reroute: 'deferred',
      recipient: 'deferred',
    },
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
      for (const [action, then] of Object.entries(actions) as [Steer['action'], Then][]) {
        const id = await inState(state, { kind: 'remote' });
        assert.equal(await stateOf(store, id), state);
        const answer = await ask(id, examples[action]);
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
      ['bounce', temporary(Date.now()), 'failed'],
      ['bounce', returned, 'failed'],
      ['bounce', delivered, 'delivered'],
      ['bounce', permanent, 'failed'],
    ] as const;
    for (const [action, result, state] of ends) {
      const { ids, claim } = await owner.leased(makeMessage());
      const id = ids[0]!;
      assert.equal(await ask(id, examples[action]), 'pending');
      assert.equal((await rowOf(store, id)).wanted, action);
      assert.deepEqual(await owner.record(id, claim, result), { answer: 'recorded', state });
      const { wanted, wish, lastReply } = await rowOf(store, id);
      assert.deepEqual([wanted, wish], [undefined, undefined]);
      if (action === 'bounce')
        assert.equal(lastReply, result === permanent || result === delivered ? result.reply : refusal);
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

  it('a bounced row fails with the text of the operator, for its report', async () => {
    const { store } = under();
    for (const state of ['queued', 'deferred', 'held'] as const) {
      const id = await inState(state);
      await ask(id, examples.bounce);
      const { lastReply, lastReplyClass, messageId } = await rowOf(store, id);
      assert.deepEqual([lastReply, lastReplyClass], [refusal, 'permanent']);
      const report = await store.deliveries.startReport({ messageId, now: Date.now() });
      assert.equal(report?.rows[0]?.lastReply, refusal);
    }
  });

  it('a rerouted row keeps its route through attempts, until it is taken back; an attempted one is due now', async () => {
    const { store, owner } = under();
    const id = await inState('deferred', { kind: 'remote' });
    const now = Date.now();
    await ask(id, examples.reroute, now);
    const { via, dueAt } = await rowOf(store, id);
    assert.deepEqual([via, dueAt], [relay, now]);
    const [claimed] = await owner.claim([id], { now });
    assert.deepEqual(claimed?.via, relay);
    await owner.record(id, claimed!.claim!, temporary(now + hourMs));
    assert.deepEqual((await rowOf(store, id)).via, relay);
    assert.equal(await ask(id, { action: 'reroute', via: null }), 'done');
    assert.equal((await rowOf(store, id)).via, undefined);
    const waiting = await inState('queued', { kind: 'remote', dueAt: now + hourMs });
    await ask(waiting, examples.reroute, now);
    assert.equal((await rowOf(store, waiting)).dueAt, now + hourMs, 'one that is to be sent later still is');
  });

  it('a row with a new recipient waits at the destination of that one, and is found by it', async () => {
    const { store, owner } = under();
    const id = await inState('deferred', {
      kind: 'remote',
      notify: ['FAILURE'],
      originalRecipient: 'rfc822;old@x.test',
    });
    await ask(id, examples.reroute);
    const now = Date.now();
    await ask(
      id,
      { action: 'recipient', to: { kind: 'remote', recipient: 'new@new.example', destination: 'new.example' } },
      now,
    );
    const row = await rowOf(store, id);
    assert.deepEqual(
      [row.recipient, row.destination, row.partition, row.kind, row.accountId, row.via, row.dueAt],
      ['new@new.example', 'new.example', partitionOf('new.example'), 'remote', undefined, undefined, now],
    );
    assert.deepEqual([row.notify, row.originalRecipient], [['FAILURE'], 'rfc822;old@x.test']);
    for (const filter of [
      { recipient: 'new@new.example' },
      { destination: 'new.example' },
      { domain: 'new.example' },
    ]) {
      const found = await store.deliveries.list(filter, { limit: 10 });
      assert.ok(
        found.some((each) => each.id === id),
        JSON.stringify(filter),
      );
    }
    const counts = await store.deliveries.destinationCounts(['new.example']);
    assert.ok((counts.get('new.example')?.ready ?? 0) + (counts.get('new.example')?.deferred ?? 0) > 0);
    const accountId = newId();
    const destination = localDestination(accountId);
    await ask(id, {
      action: 'recipient',
      to: { kind: 'inbox', recipient: 'bob@example.test', accountId, destination },
    });
    const local = await rowOf(store, id);
    assert.deepEqual([local.kind, local.accountId, local.partition], ['inbox', accountId, partitionOf(destination)]);
    assert.equal(await ask(id, examples.reroute), 'refused', 'mail for a mailbox here has no route');
    const due = await store.deliveries.due({
      partitions: [partitionOf(destination)],
      now: Date.now(),
      perDestination: 1000,
      limit: 1000,
      destinations: 'local',
    });
    assert.ok(due.some((each) => each.id === id));
    assert.equal((await owner.claim([id])).length, 1);
    const sent = await inState('queued', { kind: 'sent' });
    assert.equal(await ask(sent, examples.recipient), 'refused', 'the sender’s own copy is nobody else’s');
  });

  it('changes of a leased row apply together when its attempt ends, also when it is held then; a 250 outruns them', async () => {
    const { store, owner } = under();
    const ends = [
      [temporary(Date.now() + hourMs), [], 'deferred'],
      [temporary(Date.now() + hourMs), ['hold'], 'held'],
      [temporary(Date.now() + hourMs), ['hold', 'release'], 'deferred'],
      [returned, [], 'queued'],
      [delivered, [], 'delivered'],
      [temporary(Date.now() + hourMs), ['cancel'], 'cancelled'],
    ] as const;
    for (const [result, more, state] of ends) {
      const { ids, claim } = await owner.leased(makeMessage({ to: [{ kind: 'remote' }] }));
      const id = ids[0]!;
      assert.equal(await ask(id, examples.recipient), 'pending');
      assert.equal(await ask(id, examples.reroute), 'pending');
      for (const action of more) await steer(id, action);
      assert.equal((await rowOf(store, id)).recipient, 'user0@example.test', 'not before');
      const at = Date.now();
      assert.deepEqual(await owner.record(id, claim, result, at), { answer: 'recorded', state });
      const row = await rowOf(store, id);
      const changed = state !== 'delivered' && state !== 'cancelled';
      assert.equal(row.recipient, changed ? 'other@other.example' : 'user0@example.test', `${state} ${more.join()}`);
      assert.deepEqual(row.via, changed ? relay : undefined);
      assert.equal(row.wish, undefined);
      if (state === 'deferred') assert.equal(row.dueAt, at, 'tried there at once');
    }
  });

  it('a wish to change a recipient is granted too when the lease ends', async () => {
    const { store, owner } = under();
    const { ids } = await owner.leased(makeMessage({ to: [{ kind: 'remote' }] }), 200);
    await ask(ids[0]!, examples.recipient);
    const [row] = await until(() =>
      store.deliveries.expireLeases({ partitions: allPartitions, now: Date.now(), limit: 10 }),
    );
    assert.deepEqual(
      [row?.state, row?.recipient, row?.partition],
      ['queued', 'other@other.example', partitionOf('other.example')],
    );
  });

  it('many rows are steered in one step, each with its answer and the record in its trace', async () => {
    const { store } = under();
    const ids = [await inState('deferred'), await inState('delivered'), await inState('leased'), `${newId()}/0`];
    const record = newId();
    const steered = await store.deliveries.steerMany({
      action: 'cancel',
      ids,
      now: Date.now(),
      actor: 'admin',
      record,
    });
    assert.deepEqual(
      steered.map(({ id, answer, row }) => [id, answer, row?.state]),
      [
        [ids[0], 'done', 'cancelled'],
        [ids[1], 'refused', undefined],
        [ids[2], 'pending', 'leased'],
        [ids[3], 'absent', undefined],
      ],
    );
    const { attempts } = (await store.deliveries.get(ids[0]!))!;
    assert.equal(attempts.at(-1)!.reply, `by admin (action ${record})`);
  });

  it('the audit lists what operators did, newest first, with counts that grow', async () => {
    const { audit } = under().store.deliveries;
    const [older, newer] = [newId(), newId()].toSorted() as [string, string];
    const first = {
      id: older,
      at: Date.now(),
      actor: 'admin',
      action: 'cancel',
      filter: { sender: 'a@x.test' },
    } as const;
    const second = {
      id: newer,
      at: Date.now(),
      actor: 'admin',
      action: 'reroute',
      details: 'to relay',
      deliveryId: 'x/0',
    } as const;
    for (const record of [first, second, second]) await audit.begin(record);
    await audit.count(first.id, { matched: 2, changed: 1 });
    await audit.count(first.id, { matched: 3, changed: 3, endedAt: 7 });
    assert.deepEqual(await audit.get(first.id), { ...first, matched: 5, changed: 4, endedAt: 7 });
    assert.equal(await audit.get(newId()), undefined);
    assert.deepEqual(await audit.list({ limit: 1 }), [{ ...second, matched: 0, changed: 0 }]);
    assert.equal((await audit.list({ limit: 1, cursor: second.id }))[0]?.id, first.id);
    const later = { ...first, id: newId(), at: Date.now() + 91 * dayMs };
    await audit.begin(later);
    assert.equal(await audit.get(first.id), undefined, 'they are kept 90 days');
  });

  it('what is not there is absent', async () => {
    for (const id of [`${newId()}/0`, 'nonsense', '', `${newId()}/x`]) assert.equal(await steer(id, 'hold'), 'absent');
    assert.equal(await under().store.deliveries.get(`${newId()}/0`), undefined);
  });
}
