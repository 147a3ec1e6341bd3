import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { queryTerms } from '../../libs/mail/search/query-terms.ts';
import { tokenize } from '../../libs/mail/search/tokenize.ts';
import type { SearchEntry } from '../../libs/store/ports/mailboxes.ts';
import { type Courier, type Letter, listAll } from './mailboxes-courier.ts';

export function searchCases(use: () => Courier): void {
  const search = (name: string, test: (courier: Courier) => Promise<void>): void => {
    it(name, async (context: TestContext) => {
      if (!use().store.features.search) return context.skip('this store doesn’t search yet');
      await test(use());
    });
  };

  search('words, phrases and fields find what they name, in the account alone', async (courier) => {
    const { mailboxes } = courier.store;
    const [mine, theirs] = [await courier.account(), await courier.account()];
    const ids = await courier.bringAll(mine, [{ receivedAt: 1_000 }, { receivedAt: 2_000 }]);
    const [other] = await courier.bringAll(theirs, [{}]);
    await mailboxes.index([
      entry(mine, ids[0]!, {
        from: 'Ann alice@example.test',
        subject: 'Invoice for May',
        text: 'please pay the größte sum',
      }),
      entry(mine, ids[1]!, {
        from: 'bob@example.test',
        to: 'alice@example.test',
        subject: 'May invoice',
        text: '日本語のメール',
      }),
      entry(theirs, other!, { from: 'alice@example.test', subject: 'Invoice', text: 'sum' }),
    ]);
    const find = (filter: Record<string, string>): Promise<string[]> =>
      listAll(
        mailboxes,
        mine,
        Object.fromEntries(Object.entries(filter).map(([name, text]) => [name, queryTerms(text)])),
        1,
      );
    const [first, second] = ids;
    assert.deepEqual(await find({ text: 'invoice' }), [second, first]);
    assert.deepEqual(await find({ text: 'May Invoice' }), [second, first]);
    assert.deepEqual(await find({ text: '"may invoice"' }), [second]);
    assert.deepEqual(await find({ text: 'GRÖSSTE' }), [first]);
    assert.deepEqual(await find({ text: '日本語' }), [second]);
    assert.deepEqual(await find({ from: 'alice@example.test' }), [first]);
    assert.deepEqual(await find({ to: 'alice' }), [second]);
    assert.deepEqual(await find({ text: 'alice', subject: 'for' }), [first]);
    assert.deepEqual(await find({ text: 'invoic' }), []);
    assert.deepEqual(await find({ text: '!!!' }), []);
  });

  search('a search combines with the other filters and its cursor stays in order, ties included', async (courier) => {
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const letters: Letter[] = Array.from({ length: 25 }, (_, n) => ({
      receivedAt: 1_000 + ((n * 3) % 4),
      role: n % 2 === 0 ? 'inbox' : 'archive',
      keywords: n % 3 === 0 ? ['$seen'] : [],
      summary: { hasAttachment: n % 5 === 0 },
    }));
    const ids = await courier.bringAll(accountId, letters);
    await mailboxes.index(ids.map((id, n) => entry(accountId, id, { subject: n % 6 === 1 ? 'odd' : 'common word' })));
    for (const filter of [
      {},
      { mailbox: 'inbox' },
      { unread: true },
      { unread: false, mailbox: 'archive' },
      { since: 1_001, before: 1_003 },
      { hasAttachment: true },
    ]) {
      const all = await listAll(mailboxes, accountId, filter);
      const expected = all.filter((id) => ids.indexOf(id) % 6 !== 1);
      for (const limit of [1, 4, 100]) {
        assert.deepEqual(await listAll(mailboxes, accountId, { ...filter, text: queryTerms('word') }, limit), expected);
      }
    }
  });

  search('what waits for the index is told, oldest first, until it is indexed or gone', async (courier) => {
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const ids = await courier.bringAll(accountId, [{}, {}, {}]);
    const waiting = async (): Promise<string[]> =>
      (await mailboxes.unindexed(10_000)).flatMap((one) => (one.accountId === accountId ? [one.id] : []));
    assert.deepEqual(await waiting(), ids);
    await mailboxes.index([entry(accountId, ids[1]!, { text: 'here' })]);
    assert.deepEqual(await waiting(), [ids[0], ids[2]]);
    await mailboxes.destroy(accountId, ids[0]!, { now: Date.now() });
    assert.deepEqual(await waiting(), [ids[2]]);
    await mailboxes.index([
      entry(accountId, ids[0]!, { text: 'here' }),
      entry(await courier.account(), ids[2]!, { text: 'here' }),
    ]);
    assert.deepEqual(await waiting(), [ids[2]]);
    assert.deepEqual(await listAll(mailboxes, accountId, { text: [['here']] }), [ids[1]]);
  });

  search('indexing again replaces, and an expunged message isn’t found', async (courier) => {
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id } = await courier.bring(accountId);
    await mailboxes.index([entry(accountId, id, { text: 'before' })]);
    await mailboxes.index([entry(accountId, id, { text: 'after' })]);
    await mailboxes.index([entry(accountId, id, { text: 'after' })]);
    assert.deepEqual(await listAll(mailboxes, accountId, { text: [['before']] }), []);
    assert.deepEqual(await listAll(mailboxes, accountId, { text: [['after']] }), [id]);
    await mailboxes.destroy(accountId, id, { now: Date.now() });
    assert.deepEqual(await listAll(mailboxes, accountId, { text: [['after']] }), []);
  });

  search('nothing in a search is taken for anything but words', async (courier) => {
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const { id } = await courier.bring(accountId);
    await mailboxes.index([entry(accountId, id, { text: 'near or not and secret' })]);
    assert.deepEqual(await listAll(mailboxes, accountId, { text: [['near'], ['or'], ['not'], ['and']] }), [id]);
    for (const token of ['" OR "secret', 'sec*', 'a1', '', '^near', '{body}', "x' OR '1'='1", 'near" OR acct : "a']) {
      assert.deepEqual(await listAll(mailboxes, accountId, { text: [[token]] }), [], token);
    }
    assert.deepEqual(await listAll(mailboxes, accountId, { text: [[]] }), []);
  });
}

function entry(
  accountId: string,
  id: string,
  fields: { from?: string; to?: string; subject?: string; text?: string },
): SearchEntry {
  const { from = '', to = '', subject = '', text = '' } = fields;
  return { accountId, id, from: tokenize(from), to: tokenize(to), subject: tokenize(subject), text: tokenize(text) };
}
