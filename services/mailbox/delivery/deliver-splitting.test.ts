import assert from 'node:assert/strict';
import test from 'node:test';
import { StoreBusy, StoreUnavailable } from '../../../libs/store/errors.ts';
import type { LocalAnswer, LocalDelivery } from '../../../libs/store/ports/mailboxes.ts';
import { unreadListing } from '../../../libs/mail/parse-pool/listing.ts';
import { deliverSplitting } from './deliver-splitting.ts';

const delivery = (accountId: string, messageId: string): LocalDelivery => ({
  deliveryId: `${messageId}/0`,
  claim: { owner: 'o', epoch: 1, token: 't' },
  accountId,
  messageId,
  kind: 'inbox',
  role: 'inbox',
  keywords: [],
  receivedAt: 0,
  sizeBytes: 1,
  summary: unreadListing().summary,
});

/** A transaction that fails when `refuses` says so; counts its calls. */
function transactionThat(refuses: (deliveries: readonly LocalDelivery[]) => Error | undefined) {
  const calls: number[] = [];
  return {
    calls,
    deliver: async (deliveries: readonly LocalDelivery[]): Promise<readonly LocalAnswer[]> => {
      calls.push(deliveries.length);
      const error = refuses(deliveries);
      if (error !== undefined) throw error;
      return deliveries.map(({ messageId }) => ({
        answer: 'delivered',
        id: messageId,
        modseq: 1,
        overQuotaNow: false,
      }));
    },
  };
}

const batch = [delivery('a', 'm1'), delivery('b', 'm2'), delivery('a', 'm3'), delivery('c', 'm4')];

test('a conflict that is gone the second time costs one more transaction', async () => {
  let calls = 0;
  const store = transactionThat(() => (++calls === 1 ? new Error('conflict') : undefined));
  assert.deepEqual(
    (await deliverSplitting(batch, store.deliver)).map(({ answer }) => answer),
    ['delivered', 'delivered', 'delivered', 'delivered'],
  );
  assert.deepEqual(store.calls, [4, 4]);
});

test('a row that can never be written fails alone, in its place', async () => {
  const store = transactionThat((all) =>
    all.some(({ messageId }) => messageId === 'm3') ? new Error('poison') : undefined,
  );
  const answers = await deliverSplitting(batch, store.deliver);
  assert.deepEqual(
    answers.map(({ answer }) => answer),
    ['delivered', 'delivered', 'poisoned', 'delivered'],
  );
});

test('trouble of the store is not blamed on any row', async () => {
  const store = transactionThat(() => new StoreUnavailable('away'));
  await assert.rejects(deliverSplitting(batch, store.deliver), StoreUnavailable);
  assert.deepEqual(store.calls, [4]);
});

test('an account that another transaction keeps locked doesn’t keep the others from theirs, and is blamed for nothing', async () => {
  const store = transactionThat((all) =>
    all.some(({ accountId }) => accountId === 'a') ? new StoreBusy('locked') : undefined,
  );
  const answers = await deliverSplitting(batch, store.deliver);
  assert.deepEqual(
    answers.map(({ answer }) => answer),
    ['busy', 'delivered', 'busy', 'delivered'],
  );
  assert.deepEqual(store.calls, [4, 2, 1, 1], 'the store has waited already: none is tried again at once');
});
