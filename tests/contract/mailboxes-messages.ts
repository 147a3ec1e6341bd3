import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { tombstoneKeepMs } from '../../libs/store/mailbox-rules.ts';
import { CannotCalculateChanges, NotFound, PreconditionFailed } from '../../libs/store/errors.ts';
import type { AppendedMessage } from '../../libs/store/ports/mailboxes.ts';
import { type Courier, listAll, summary } from './mailboxes-courier.ts';
import { refused } from './mailboxes-tree.ts';

export function messageCases(use: () => Courier): void {
  it('keywords are merged, in lower case; unread goes by $seen and $draft', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id } = await courier.bring(accountId);
    const unread = async (): Promise<number | undefined> =>
      (await mailboxes.mailboxes(accountId)).mailboxes.find(({ role }) => role === 'inbox')?.unreadEmails;
    const patch = async (keywords: Record<string, boolean>): Promise<readonly string[]> =>
      (await mailboxes.update(accountId, id, { keywords }, {})).keywords.toSorted();
    assert.deepEqual(await patch({ $Seen: true, $flagged: true }), ['$flagged', '$seen']);
    assert.equal(await unread(), 0);
    assert.deepEqual(await patch({ $seen: false, $flagged: false, $draft: true }), ['$draft']);
    assert.equal(await unread(), 0);
    assert.deepEqual(await patch({ $draft: false }), []);
    assert.equal(await unread(), 1);
    assert.deepEqual(await listAll(mailboxes, accountId, { mailbox: 'inbox', unread: true }), [id]);
  });

  it('a message has at most 100 keywords, whatever they are called', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id } = await courier.bring(accountId);
    const named = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, true]));
    await refused('tooManyKeywords', mailboxes.update(accountId, id, { keywords: named(101) }, {}));
    assert.equal((await mailboxes.update(accountId, id, { keywords: named(99) }, {})).keywords.length, 99);
    const own = JSON.parse('{"__proto__":true}');
    assert.ok((await mailboxes.update(accountId, id, { keywords: own }, {})).keywords.includes('__proto__'));
    await refused('tooManyKeywords', mailboxes.update(accountId, id, { keywords: { more: true } }, {}));
  });

  it('a change takes the next modseq; one that changes nothing takes none', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id, modseq } = await courier.bring(accountId);
    const inbox = await courier.mailboxId(accountId, 'inbox');
    const same = await mailboxes.update(
      accountId,
      id,
      { keywords: { $seen: false }, mailboxIds: { [inbox]: true } },
      {},
    );
    assert.equal(same.modseq, modseq);
    const seen = await mailboxes.update(accountId, id, { keywords: { $seen: true } }, {});
    assert.equal(seen.modseq, modseq + 1);
    assert.deepEqual(await mailboxes.get(accountId, id), seen);
  });

  it('a message is in one mailbox or several, never in none', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id } = await courier.bring(accountId);
    const inbox = await courier.mailboxId(accountId, 'inbox');
    const archive = await courier.mailboxId(accountId, 'archive');
    const both = await mailboxes.update(accountId, id, { mailboxIds: { [archive]: true } }, {});
    assert.deepEqual(both.mailboxIds.toSorted(), [inbox, archive].sort());
    assert.deepEqual(await listAll(mailboxes, accountId), [id]);
    await refused(
      'noMailbox',
      mailboxes.update(accountId, id, { mailboxIds: { [inbox]: false, [archive]: false } }, {}),
    );
    const moved = await mailboxes.update(accountId, id, { mailboxIds: { [inbox]: false } }, {});
    assert.deepEqual(moved.mailboxIds, [archive]);
    assert.deepEqual(await listAll(mailboxes, accountId, { mailbox: 'inbox' }), []);
    const theirs = await courier.mailboxId(await courier.account(), 'inbox');
    await assert.rejects(mailboxes.update(accountId, id, { mailboxIds: { [theirs]: true } }, {}), NotFound);
    assert.deepEqual(await mailboxes.get(accountId, id), moved);
  });

  it('a change or an expunge of another version than the caller’s is refused', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id, modseq } = await courier.bring(accountId);
    const stale = { ifModseq: modseq - 1 };
    await assert.rejects(mailboxes.update(accountId, id, { keywords: { $seen: true } }, stale), PreconditionFailed);
    await assert.rejects(mailboxes.destroy(accountId, id, { ...stale, now: Date.now() }), PreconditionFailed);
    const row = await mailboxes.update(accountId, id, { keywords: { $seen: true } }, { ifModseq: modseq });
    await mailboxes.destroy(accountId, id, { ifModseq: row.modseq, now: Date.now() });
  });

  it('of two concurrent changes of one version, one is refused', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id, modseq } = await courier.bring(accountId);
    const results = await Promise.allSettled(
      ['one', 'two'].map((keyword) =>
        mailboxes.update(accountId, id, { keywords: { [keyword]: true } }, { ifModseq: modseq }),
      ),
    );
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const refusedOne = results.find((result) => result.status === 'rejected');
    assert.ok(refusedOne?.reason instanceof PreconditionFailed);
  });

  it('an id of another account is NotFound, in the same words as one that doesn’t exist', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const [mine, theirs] = [await courier.account(), await courier.account()];
    const { id } = await courier.bring(theirs);
    await mailboxes.state(mine);
    const words = async (attempt: Promise<unknown>): Promise<string> => {
      const error: unknown = await attempt.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof NotFound);
      return error.message;
    };
    for (const use of [
      (of: string) => mailboxes.get(mine, of),
      (of: string) => mailboxes.raw(mine, of),
      (of: string) => mailboxes.update(mine, of, { keywords: { $seen: true } }, {}),
      (of: string) => mailboxes.destroy(mine, of, { now: Date.now() }),
    ]) {
      assert.equal(await words(use(id)), await words(use(newId())));
    }
    assert.equal((await mailboxes.get(theirs, id)).id, id);
  });

  it('an expunged message is gone from lists, counts and quota, for good', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id } = await courier.bring(accountId);
    await mailboxes.destroy(accountId, id, { now: Date.now() });
    await assert.rejects(mailboxes.get(accountId, id), NotFound);
    await assert.rejects(mailboxes.destroy(accountId, id, { now: Date.now() }), NotFound);
    assert.deepEqual(await listAll(mailboxes, accountId), []);
    const use0 = (await mailboxes.usage([accountId])).get(accountId);
    assert.deepEqual([use0?.bytes, use0?.messages], [0, 0]);
    const { mailboxes: all } = await mailboxes.mailboxes(accountId);
    assert.deepEqual(
      all.map(({ totalEmails, unreadEmails }) => totalEmails + unreadEmails),
      all.map(() => 0),
    );
  });

  it('an appended message has its bytes, counts, and is one when it is repeated', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const draft = appended('A draft', { role: 'drafts', keywords: ['$draft'] });
    const row = await mailboxes.append(accountId, draft);
    assert.equal(row.id, draft.id);
    assert.equal(row.blobId.startsWith('append:'), true);
    assert.deepEqual(row.mailboxIds, [await courier.mailboxId(accountId, 'drafts')]);
    assert.deepEqual(await mailboxes.append(accountId, draft), row);
    assert.equal((await mailboxes.usage([accountId])).get(accountId)?.bytes, draft.sizeBytes);
    const raw = await mailboxes.raw(accountId, row.id);
    assert.deepEqual([raw.trace, raw.reversePath, raw.body], ['', '', draft.body]);
    await mailboxes.setQuota(accountId, { bytes: draft.sizeBytes, messages: null });
    await refused('overQuota', mailboxes.append(accountId, appended('Another')));
  });

  it('an appended blob is referred to until its message is expunged', async () => {
    const courier = use();
    const { mailboxes, spool } = courier.store;
    const accountId = await courier.account();
    const body = { kind: 'blob', ref: `blob-${newId()}` } as const;
    const row = await mailboxes.append(accountId, { ...appended('Large'), body });
    assert.deepEqual((await mailboxes.raw(accountId, row.id)).body, body);
    assert.deepEqual([...(await spool.referredBlobs([body.ref, 'nobody’s']))], [body.ref]);
    await mailboxes.destroy(accountId, row.id, { now: Date.now() });
    assert.deepEqual([...(await spool.referredBlobs([body.ref]))], []);
  });

  it('tombstones go when they are old; what happened before can’t be told then', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const beginning = await mailboxes.state(accountId);
    const now = Date.now();
    const [old, recent, kept] = await courier.bringAll(accountId, [{}, {}, {}]);
    await mailboxes.destroy(accountId, old!, { now: now - tombstoneKeepMs - 1 });
    const between = await mailboxes.state(accountId);
    await mailboxes.destroy(accountId, recent!, { now });
    while ((await mailboxes.purge({ before: now - tombstoneKeepMs, limit: 10 })) > 0);
    await assert.rejects(mailboxes.changes(accountId, beginning, 10), CannotCalculateChanges);
    const changes = await mailboxes.changes(accountId, between, 10);
    assert.deepEqual([changes.created, changes.updated, changes.destroyed], [[], [], [recent]]);
    assert.deepEqual(await listAll(mailboxes, accountId), [kept]);
  });

  it('a removed account goes in bounded steps, and then takes no mail', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const ids = await courier.bringAll(accountId, [{}, {}, {}, {}, {}]);
    await mailboxes.destroy(accountId, ids[0]!, { now: Date.now() });
    await mailboxes.append(accountId, appended('A draft'));
    const [late] = await courier.claimed([{ accountId }]);
    await courier.store.removeAccountFromDirectory(accountId);
    assert.deepEqual(await mailboxes.deliver([late!], Date.now()), [{ answer: 'noAccount' }]);
    let steps = 0;
    while ((await mailboxes.removeAccount(accountId, 2)) > 0) steps += 1;
    assert.ok(steps >= 3);
    await assert.rejects(mailboxes.list(accountId, {}, { limit: 1 }), NotFound);
    await assert.rejects(mailboxes.get(accountId, ids[1]!), NotFound);
    assert.equal((await mailboxes.usage([accountId])).size, 0);
    assert.equal(await mailboxes.removeAccount(accountId, 2), 0);
    await assert.rejects(mailboxes.setQuota(accountId, { bytes: 1, messages: null }), NotFound);
    assert.equal((await mailboxes.usage([accountId])).size, 0, 'a quota that comes late doesn’t make it again');
  });

  it('usage leaves out accounts that nobody knows, and limits go back to none', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    await mailboxes.setQuota(accountId, { bytes: 10, messages: 2 });
    await mailboxes.setQuota(accountId, { bytes: null, messages: null });
    const usage = await mailboxes.usage([accountId, newId()]);
    assert.deepEqual([...usage], [[accountId, { bytes: 0, messages: 0, limitBytes: null, limitMessages: null }]]);
  });
}

export function appended(subject: string, fields: Partial<AppendedMessage> = {}): AppendedMessage {
  const bytes = new TextEncoder().encode(`Subject: ${subject}\r\n\r\nbody\r\n`);
  return {
    id: newId(),
    body: { kind: 'inline', bytes },
    role: 'inbox',
    keywords: [],
    receivedAt: Date.now(),
    sizeBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    summary: summary({ subject }),
    ...fields,
  };
}
