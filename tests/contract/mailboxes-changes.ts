import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CannotCalculateChanges } from '../../libs/store/errors.ts';
import type { Changes, Mailboxes } from '../../libs/store/ports/mailboxes.ts';
import { type Courier, modseqOf } from './mailboxes-courier.ts';

export function changesCases(use: () => Courier): void {
  it('changes tell what was created, updated and destroyed since, each once', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const [a, b] = await courier.bringAll(accountId, [{}, {}]);
    const since = await mailboxes.state(accountId);
    const { id: c } = await courier.bring(accountId);
    const { id: gone } = await courier.bring(accountId);
    await mailboxes.update(accountId, a!, { keywords: { $seen: true } }, {});
    await mailboxes.update(accountId, c, { keywords: { $seen: true } }, {});
    await mailboxes.destroy(accountId, b!, { now: Date.now() });
    await mailboxes.destroy(accountId, gone, { now: Date.now() });
    const changes = await mailboxes.changes(accountId, since, 100);
    assert.deepEqual(changes.created, [c]);
    assert.deepEqual(changes.updated, [a]);
    // RFC 8620 §5.2: what was created and destroyed in between may be left out, or be in destroyed.
    assert.deepEqual(
      changes.destroyed.filter((id) => id !== gone),
      [b],
    );
    assert.equal(changes.mailboxesChanged, true);
    assert.equal(changes.hasMore, false);
    assert.equal(changes.newState, await mailboxes.state(accountId));
    const none = await mailboxes.changes(accountId, changes.newState, 100);
    assert.deepEqual(none, {
      created: [],
      updated: [],
      destroyed: [],
      mailboxesChanged: false,
      newState: changes.newState,
      hasMore: false,
    });
  });

  it('page after page a client comes to what there is, whatever changes meanwhile', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const client = new Set<string>();
    let state = await mailboxes.state(accountId);
    const ids = await courier.bringAll(
      accountId,
      Array.from({ length: 12 }, () => ({})),
    );
    for (const id of ids.slice(0, 6)) await mailboxes.update(accountId, id, { keywords: { $seen: true } }, {});
    for (let round = 0; ; round += 1) {
      const changes = await mailboxes.changes(accountId, state, 3);
      assert.ok(changes.created.length + changes.updated.length + changes.destroyed.length <= 3);
      for (const id of changes.updated)
        assert.ok(client.has(id), 'an update is of a message that the client has heard of');
      for (const id of changes.created) client.add(id);
      for (const id of changes.destroyed) client.delete(id);
      assert.ok(modseqOf(changes.newState) > modseqOf(state) || !changes.hasMore);
      state = changes.newState;
      if (round < 4) await mailboxes.destroy(accountId, ids[round * 3]!, { now: Date.now() });
      if (round < 4) await mailboxes.update(accountId, ids[round * 3 + 1]!, { keywords: { [`k${round}`]: true } }, {});
      if (!changes.hasMore && round >= 4) break;
    }
    assert.deepEqual([...client].sort(), ids.filter((_, n) => n % 3 !== 0).sort());
  });

  it('a token that is no state of this store can’t be answered', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const [incarnation, modseq] = (await mailboxes.state(accountId)).split('.').map(Number);
    const wrong = [
      '',
      'x',
      '1',
      `${incarnation! + 1}.${modseq!}`,
      `${incarnation! - 1}.${modseq!}`,
      `${incarnation!}.${modseq! + 1}`,
      `${incarnation!}.-1`,
    ];
    for (const since of wrong)
      await assert.rejects(mailboxes.changes(accountId, since, 10), CannotCalculateChanges, since);
  });

  it('readers that poll while many write miss nothing: n+1 is never seen before n', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const since = await mailboxes.state(accountId);
    const batches = await Promise.all(
      Array.from({ length: 10 }, () => courier.claimed([{ accountId }, { accountId }, { accountId }])),
    );
    let writing = true;
    const readers = Promise.all(Array.from({ length: 3 }, () => poll(mailboxes, accountId, since, () => writing)));
    const written = await Promise.all(batches.map((batch) => mailboxes.deliver(batch, Date.now())));
    writing = false;
    const ids = written.flat().map((answer) => (answer.answer === 'delivered' ? answer.id : answer.answer));
    for (const seen of await readers) assert.deepEqual(seen.toSorted(), ids.toSorted());
  });
}

/** Everything that a client hears of as created until the writers are done, and once more. */
async function poll(
  mailboxes: Mailboxes,
  accountId: string,
  since: string,
  isWriting: () => boolean,
): Promise<string[]> {
  const seen: string[] = [];
  let state = since;
  for (let goOn = true; goOn; ) {
    goOn = isWriting();
    const changes: Changes = await mailboxes.changes(accountId, state, 1_000);
    assert.equal(changes.created.length, modseqOf(changes.newState) - modseqOf(state));
    seen.push(...changes.created);
    state = changes.newState;
  }
  return seen;
}
