import assert from 'node:assert/strict';
import { it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import type { LocalDelivery } from '../../libs/store/ports/mailboxes.ts';
import { type Courier, delivered, deliveryOf, listAll, modseqOf } from './mailboxes-courier.ts';

export function deliverCases(use: () => Courier): void {
  it('a delivered message is in the mailbox of its role, counted, and its row is delivered', async () => {
    const courier = use();
    const { mailboxes, deliveries } = courier.store;
    const accountId = await courier.account();
    const { id, modseq, messageId } = await courier.bring(accountId, { keywords: ['$Flagged'], sizeBytes: 500 });
    const row = await mailboxes.get(accountId, id);
    assert.deepEqual(row.mailboxIds, [await courier.mailboxId(accountId, 'inbox')]);
    assert.deepEqual(row.keywords, ['$flagged']);
    assert.equal(row.modseq, modseq);
    assert.equal(row.sizeBytes, 500);
    assert.equal(row.from[0]?.email, 'sender@elsewhere.test');
    assert.equal(row.preview, 'body');
    const inbox = (await mailboxes.mailboxes(accountId)).mailboxes.find(({ role }) => role === 'inbox');
    assert.deepEqual([inbox?.totalEmails, inbox?.unreadEmails], [1, 1]);
    assert.equal((await deliveries.ofMessage(messageId))[0]?.state, 'delivered');
    assert.deepEqual((await mailboxes.usage([accountId])).get(accountId), {
      bytes: 500,
      messages: 1,
      limitBytes: null,
      limitMessages: null,
    });
  });

  it('repeated and concurrent deliveries of one row make one message', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const [delivery] = await courier.claimed([{ accountId }]);
    const rounds = await Promise.all(Array.from({ length: 8 }, () => mailboxes.deliver([delivery!], Date.now())));
    const again = await mailboxes.deliver([delivery!], Date.now());
    const answers = [...rounds.flat(), ...again].map(({ answer }) => answer).sort();
    assert.deepEqual(answers, ['delivered', ...Array.from({ length: 8 }, () => 'duplicate')].sort());
    assert.equal((await listAll(mailboxes, accountId)).length, 1);
    assert.equal((await mailboxes.usage([accountId])).get(accountId)?.messages, 1);
  });

  it('two deliveries of one account in a batch take modseqs one after the other', async () => {
    const courier = use();
    const accountId = await courier.account();
    const before = modseqOf(await courier.store.mailboxes.state(accountId));
    const deliveries = await courier.claimed([
      { accountId },
      { accountId, role: 'sent', kind: 'sent', keywords: ['$seen'] },
    ]);
    const answers = (await courier.store.mailboxes.deliver(deliveries, Date.now())).map(delivered);
    assert.deepEqual(
      answers.map(({ modseq }) => modseq),
      [before + 1, before + 2],
    );
    assert.equal(modseqOf(await courier.store.mailboxes.state(accountId)), before + 2);
  });

  it('one message has an inbox copy and a sent copy in the same account, each once', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const [inbox] = await courier.claimed([{ accountId }]);
    const [other] = await courier.claimed([{ accountId }]);
    const sent: LocalDelivery = { ...other!, messageId: inbox!.messageId, kind: 'sent', role: 'sent' };
    const answers = await mailboxes.deliver([inbox!, sent], Date.now());
    assert.deepEqual(
      answers.map(({ answer }) => answer),
      ['delivered', 'delivered'],
    );
    const rows = (await mailboxes.list(accountId, {}, { limit: 10 })).messages;
    assert.equal(new Set(rows.map(({ blobId }) => blobId)).size, 2);
  });

  it('what can’t be delivered fails alone: the others of the batch commit', async () => {
    const courier = use();
    const { mailboxes, deliveries } = courier.store;
    const [good, full, stale] = [await courier.account(), await courier.account(), await courier.account()];
    await mailboxes.setQuota(full, { bytes: null, messages: 0 });
    const unknown = newId();
    const letters = [good, full, unknown, good].map((accountId) => ({ accountId }));
    const batch = await courier.claimed(letters);
    batch.splice(2, 0, await cancelledDelivery(courier, stale));
    const answers = await mailboxes.deliver(batch, Date.now());
    assert.deepEqual(
      answers.map(({ answer }) => answer),
      ['delivered', 'overQuota', 'stale', 'noAccount', 'delivered'],
    );
    assert.equal((await listAll(mailboxes, good)).length, 2);
    assert.equal((await listAll(mailboxes, full)).length, 0);
    assert.equal((await listAll(mailboxes, stale)).length, 0);
    const states = await Promise.all(
      batch.map(async ({ messageId }) => (await deliveries.ofMessage(messageId))[0]?.state),
    );
    assert.deepEqual(states, ['delivered', 'leased', 'cancelled', 'leased', 'delivered']);
  });

  it('a quota is reached within a batch, in its order, and says so', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    await mailboxes.setQuota(accountId, { bytes: 2_500, messages: null });
    const batch = await courier.claimed([{ accountId }, { accountId }, { accountId }, { accountId, sizeBytes: 500 }]);
    const answers = await mailboxes.deliver(batch, Date.now());
    assert.deepEqual(
      answers.map(({ answer }) => answer),
      ['delivered', 'delivered', 'overQuota', 'delivered'],
    );
    assert.deepEqual(
      answers.map((answer) => answer.answer === 'delivered' && answer.overQuotaNow),
      [false, false, false, true],
    );
    assert.deepEqual((await mailboxes.usage([accountId])).get(accountId), {
      bytes: 2_500,
      messages: 3,
      limitBytes: 2_500,
      limitMessages: null,
    });
  });

  it('a repeat to an account that is full by now is a duplicate, not over quota', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    await mailboxes.setQuota(accountId, { bytes: null, messages: 1 });
    const batch = await courier.claimed([{ accountId }]);
    await mailboxes.deliver(batch, Date.now());
    assert.deepEqual(await mailboxes.deliver(batch, Date.now()), [{ answer: 'duplicate' }]);
  });

  it('after a message was expunged, its delivery puts no second copy', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const batch = await courier.claimed([{ accountId }]);
    const [answer] = await mailboxes.deliver(batch, Date.now());
    await mailboxes.destroy(accountId, delivered(answer).id, { now: Date.now() });
    assert.deepEqual(await mailboxes.deliver(batch, Date.now()), [{ answer: 'duplicate' }]);
    assert.deepEqual(await listAll(mailboxes, accountId), []);
  });

  it('a late holder’s delivery counts: the next holder finds the message there', async () => {
    const courier = use();
    const { mailboxes, deliveries } = courier.store;
    const accountId = await courier.account();
    const [late] = await courier.claimed([{ accountId }]);
    const { deliveryId: id, claim } = late!;
    await deliveries.record([{ id, claim, at: Date.now(), result: { kind: 'returned' } }]);
    const [again] = await courier.claim(await deliveries.ofMessage(late!.messageId));
    const next = deliveryOf(again!, { accountId });
    assert.notEqual(next.claim.token, claim.token);
    delivered((await mailboxes.deliver([late!], Date.now()))[0]);
    assert.deepEqual(await mailboxes.deliver([next], Date.now()), [{ answer: 'duplicate' }]);
    assert.equal((await deliveries.ofMessage(late!.messageId))[0]?.state, 'delivered');
    assert.equal((await listAll(mailboxes, accountId)).length, 1);
  });

  it('concurrent batches to the same accounts keep every message and an order without gaps', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accounts = await Promise.all([courier.account(), courier.account(), courier.account()]);
    const before = new Map(
      await Promise.all(accounts.map(async (id) => [id, modseqOf(await mailboxes.state(id))] as const)),
    );
    const batches = await Promise.all(
      Array.from({ length: 4 }, () =>
        courier.claimed(Array.from({ length: 9 }, (_, n) => ({ accountId: accounts[n % 3]! }))),
      ),
    );
    await Promise.all(batches.map((batch) => deliverUntilDone(courier, batch)));
    for (const accountId of accounts) {
      const { messages } = await mailboxes.list(accountId, {}, { limit: 100 });
      const modseqs = messages.map(({ modseq }) => modseq).sort((a, b) => a - b);
      const first = before.get(accountId)!;
      assert.deepEqual(
        modseqs,
        Array.from({ length: 12 }, (_, n) => first + n + 1),
      );
    }
  });

  it('raw is the stored body with its trace and reverse-path', async () => {
    const courier = use();
    const accountId = await courier.account();
    const { id, messageId } = await courier.bring(accountId);
    const raw = await courier.store.mailboxes.raw(accountId, id);
    assert.equal(raw.message.id, id);
    assert.equal(raw.reversePath, 'sender@elsewhere.test');
    assert.equal(raw.trace, 'Received: from elsewhere.test\r\n');
    assert.ok(raw.body.kind === 'inline');
    assert.equal(new TextDecoder().decode(raw.body.bytes), `Subject: ${messageId}\r\n\r\nbody\r\n`);
  });
}

/** A delivery whose row was cancelled before its worker came back. */
async function cancelledDelivery(courier: Courier, accountId: string): Promise<LocalDelivery> {
  const { deliveries, mailboxes } = courier.store;
  await mailboxes.state(accountId);
  const [delivery] = await courier.claimed([{ accountId }]);
  const { deliveryId: id, claim } = delivery!;
  assert.equal(await deliveries.steer({ id, action: 'cancel', now: Date.now(), actor: 'operator' }), 'pending');
  await deliveries.record([{ id, claim, at: Date.now(), result: { kind: 'returned' } }]);
  const [row] = await deliveries.ofMessage(delivery!.messageId);
  assert.equal(row?.state, 'cancelled');
  return { ...deliveryOf(row, { accountId }), claim };
}

/** A store may refuse a whole batch that conflicted with another: then nothing was written, and it is brought again. */
async function deliverUntilDone(courier: Courier, batch: LocalDelivery[]): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      const answers = await courier.store.mailboxes.deliver(batch, Date.now());
      for (const { answer } of answers) assert.equal(answer, 'delivered');
      return;
    } catch (error) {
      if (tries >= 10 || !(error instanceof Error) || error.name !== 'StoreBusy') throw error;
    }
  }
}
