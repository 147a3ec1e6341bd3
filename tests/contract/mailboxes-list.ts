import assert from 'node:assert/strict';
import { it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { NotFound } from '../../libs/store/errors.ts';
import type { MessageRow } from '../../libs/store/ports/mailboxes.ts';
import { type Courier, type Letter, listAll } from './mailboxes-courier.ts';

export function listCases(use: () => Courier): void {
  it('messages are listed newest first by receivedAt and id, ties included, in pages of any size', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const start = Date.now() - 10_000;
    await courier.bringAll(
      accountId,
      Array.from({ length: 17 }, (_, n) => ({ receivedAt: start + ((n * 7) % 5) })),
    );
    const { messages, next } = await mailboxes.list(accountId, { mailbox: 'inbox' }, { limit: 100 });
    assert.equal(next, null);
    assert.equal(messages.length, 17);
    assert.deepEqual(messages, messages.toSorted(newestFirst));
    const ids = messages.map(({ id }) => id);
    for (const limit of [1, 3, 5, 17]) {
      assert.deepEqual(await listAll(mailboxes, accountId, { mailbox: 'inbox' }, limit), ids);
      assert.deepEqual(await listAll(mailboxes, accountId, {}, limit), ids);
    }
  });

  it('a cursor stays right while mail arrives: nothing twice, nothing left out', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const start = Date.now() - 100_000;
    const early = await courier.bringAll(
      accountId,
      Array.from({ length: 20 }, (_, n) => ({ receivedAt: start + (n % 4) * 10 })),
    );
    const seen: string[] = [];
    let page = await mailboxes.list(accountId, { mailbox: 'inbox' }, { limit: 3 });
    for (;;) {
      seen.push(...page.messages.map(({ id }) => id));
      if (page.next === null) break;
      await courier.bringAll(accountId, [{ receivedAt: start + 10 }, { receivedAt: Date.now() }]);
      page = await mailboxes.list(accountId, { mailbox: 'inbox' }, { limit: 3, cursor: page.next });
    }
    assert.equal(new Set(seen).size, seen.length);
    assert.deepEqual(
      early.filter((id) => !seen.includes(id)),
      [],
    );
  });

  it('a cursor goes on where its message was, though that was expunged', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    await courier.bringAll(
      accountId,
      Array.from({ length: 6 }, (_, n) => ({ receivedAt: 1_000 + n })),
    );
    const ids = await listAll(mailboxes, accountId);
    const first = await mailboxes.list(accountId, {}, { limit: 3 });
    await mailboxes.destroy(accountId, ids[2]!, { now: Date.now() });
    const second = await mailboxes.list(accountId, {}, { limit: 3, cursor: first.next! });
    assert.deepEqual(
      second.messages.map(({ id }) => id),
      ids.slice(3),
    );
  });

  it('filters narrow by mailbox, time, unread and attachments, alone and together', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const letters: Letter[] = Array.from({ length: 24 }, (_, n) => ({
      receivedAt: 1_000 + n,
      role: n % 2 === 0 ? 'inbox' : 'archive',
      keywords: n % 3 === 0 ? ['$seen'] : n % 7 === 0 ? ['$draft'] : [],
      summary: { hasAttachment: n % 4 < 2 },
    }));
    const ids = await courier.bringAll(accountId, letters);
    const expected = (keep: (letter: Letter) => boolean): string[] => ids.filter((_, n) => keep(letters[n]!)).reverse();
    const unread = (letter: Letter): boolean => letter.keywords?.length === 0;
    const attached = (letter: Letter): boolean => letter.summary?.hasAttachment === true;
    for (const limit of [2, 100]) {
      const all = (filter: object): Promise<string[]> => listAll(mailboxes, accountId, filter, limit);
      for (const flag of [true, false]) {
        assert.deepEqual(
          await all({ unread: flag }),
          expected((letter) => unread(letter) === flag),
        );
        assert.deepEqual(
          await all({ hasAttachment: flag }),
          expected((letter) => attached(letter) === flag),
        );
        assert.deepEqual(
          await all({ mailbox: 'inbox', unread: flag }),
          expected((letter) => letter.role === 'inbox' && unread(letter) === flag),
        );
        assert.deepEqual(
          await all({ mailbox: 'archive', hasAttachment: flag, unread: true }),
          expected((letter) => letter.role === 'archive' && attached(letter) === flag && unread(letter)),
        );
      }
      assert.deepEqual(
        await all({ since: 1_005, before: 1_010 }),
        expected(({ receivedAt }) => receivedAt! >= 1_005 && receivedAt! < 1_010),
      );
      assert.deepEqual(
        await all({ mailbox: 'inbox', since: 1_020 }),
        expected((letter) => letter.role === 'inbox' && letter.receivedAt! >= 1_020),
      );
      assert.deepEqual(await all({ mailbox: await courier.mailboxId(accountId, 'archive'), before: 1_004 }), [
        ids[3],
        ids[1],
      ]);
      assert.deepEqual(await all({ before: 0 }), []);
    }
  });

  it('a mailbox that isn’t there, or is another account’s, is NotFound', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const theirs = await courier.mailboxId(await courier.account(), 'inbox');
    for (const mailbox of [newId(), 'nothing', '', theirs]) {
      await assert.rejects(mailboxes.list(accountId, { mailbox }, { limit: 1 }), NotFound);
    }
  });

  it('a cursor that nobody was given is harmless', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    await courier.bringAll(accountId, [{}, {}]);
    for (const receivedAt of [-1e300, -1, 0.5, 1e300]) {
      const { messages } = await mailboxes.list(
        accountId,
        {},
        { limit: 10, cursor: { receivedAt, id: "' OR 1=1 --" } },
      );
      assert.equal(messages.length, receivedAt > 1 ? 2 : 0);
    }
  });

  it('a page and its state are of one moment', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    await courier.bring(accountId);
    const writing = (async () => {
      for (let n = 0; n < 20; n += 1) await courier.bring(accountId);
    })();
    for (let n = 0; n < 20; n += 1) {
      const { state, messages } = await mailboxes.list(accountId, {}, { limit: 100 });
      assert.equal(Math.max(...messages.map(({ modseq }) => modseq)), Number(state.split('.')[1]));
    }
    await writing;
  });
}

const newestFirst = (a: MessageRow, b: MessageRow): number => b.receivedAt - a.receivedAt || (a.id < b.id ? 1 : -1);
