import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Claim } from '../../libs/delivery/row.ts';
import { type DeliveryEvent, type DeliveryStanding, transition } from '../../libs/delivery/state.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { delivered, permanent, type QueueUnderTest, returned, rowOf, temporary } from './deliveries-owner.ts';
import type { Steer, SteerAction } from '../../libs/delivery/wish.ts';
import { allPartitions, enqueue, makeMessage } from './spool-messages.ts';

const steps = [
  'claim',
  'delivered',
  'deferred',
  'failed',
  'returned',
  'stale 250',
  'stale 550',
  'expired',
  'reportStarted',
  'reportFinished',
  'hold',
  'release',
  'retry',
  'cancel',
  'bounce',
  'reroute',
  'recipient',
] as const;
type Step = (typeof steps)[number];

/** Any order of events: the store keeps to the one function that has all transitions. */
export function randomCases(under: () => QueueUnderTest): void {
  it('whatever happens in whatever order, a row’s state, attempts and wish are those of the state machine', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...steps), { minLength: 3, maxLength: 14 }), (run) =>
        play(under(), run),
      ),
      { numRuns: 40, seed: 7 },
    );
  });
}

async function play({ store, owner }: QueueUnderTest, run: readonly Step[]): Promise<void> {
  const at = Date.now();
  const message = makeMessage({ acceptedAt: at, to: [{ kind: 'remote', expiresAt: at + 1 }] });
  const [id = ''] = await enqueue(store.spool, message);
  const { messageId } = message;
  const stranger: Claim = { owner: 'stranger', epoch: 1, token: newId() };
  let model: DeliveryStanding = { state: 'queued', attempts: 0 };
  let claim: Claim | undefined;
  const happen = (event: DeliveryEvent): void => {
    model = transition(model, event) ?? model;
  };
  for (const step of run) {
    const now = Date.now();
    if (step === 'claim') {
      const [row] = await owner.claim([id]);
      assert.equal(row !== undefined, transition(model, { kind: 'claim' }) !== undefined);
      claim = row?.claim ?? claim;
      happen({ kind: 'claim' });
    } else if (step === 'stale 250' || step === 'stale 550') {
      await owner.record(id, stranger, step === 'stale 250' ? delivered : permanent);
      if (step === 'stale 250') happen({ kind: 'delivered' });
    } else if (step === 'delivered' || step === 'deferred' || step === 'failed' || step === 'returned') {
      if (model.state !== 'leased' || claim === undefined) continue;
      const results = { delivered, deferred: temporary(now), failed: permanent, returned };
      await owner.record(id, claim, results[step], now);
      happen({ kind: step });
    } else if (step === 'expired') {
      const rows = await store.deliveries.expireRows({ partitions: allPartitions, now: at + 1, limit: 100 });
      assert.equal(
        rows.some((row) => row.id === id),
        transition(model, { kind: 'expired' }) !== undefined,
      );
      happen({ kind: 'expired' });
    } else if (step === 'reportStarted') {
      await store.deliveries.startReport({ messageId, now });
      happen({ kind: 'reportStarted' });
    } else if (step === 'reportFinished') {
      await store.deliveries.finishReport({ messageId, report: 1, now });
      happen({ kind: 'reportFinished' });
    } else {
      const answer = await store.deliveries.steer({ ...steerOf(step), id, now, actor: 'admin' });
      assert.equal(answer === 'refused', transition(model, { kind: step }) === undefined, `${step} in ${model.state}`);
      happen({ kind: step });
    }
    const { state, attempts, wanted } = await rowOf(store, id);
    assert.deepEqual(
      { state, attempts, wanted },
      { state: model.state, attempts: model.attempts, wanted: model.wanted },
      step,
    );
  }
}

/** The action with what it takes. */
function steerOf(action: SteerAction): Steer {
  if (action === 'bounce') return { action, reply: '550 5.7.1 no' };
  if (action === 'reroute') return { action, via: { host: 'relay.example', port: 25 } };
  if (action !== 'recipient') return { action };
  return { action, to: { kind: 'remote', recipient: 'other@other.example', destination: 'other.example' } };
}
