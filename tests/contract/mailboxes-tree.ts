import assert from 'node:assert/strict';
import { it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { maxMailboxDepth } from '../../libs/store/mailbox-rules.ts';
import { AlreadyExists, NotFound, Refused } from '../../libs/store/errors.ts';
import { mailboxRoles } from '../../libs/store/ports/mailboxes.ts';
import { type Courier, listAll, modseqOf } from './mailboxes-courier.ts';

export function treeCases(use: () => Courier): void {
  it('a new account has a mailbox of each role from its first use, also when many ask at once', async () => {
    const courier = use();
    const accountId = await courier.account();
    const all = await Promise.all(Array.from({ length: 5 }, () => courier.store.mailboxes.mailboxes(accountId)));
    for (const { mailboxes } of all) {
      assert.deepEqual(new Set(mailboxes.map(({ role }) => role)), new Set(mailboxRoles));
      assert.equal(mailboxes.length, mailboxRoles.length);
      assert.deepEqual(mailboxes, all[0]!.mailboxes);
    }
  });

  it('an account that the directory doesn’t know is NotFound', async () => {
    const { mailboxes } = use().store;
    await assert.rejects(mailboxes.mailboxes(newId()), NotFound);
    await assert.rejects(mailboxes.list(newId(), {}, { limit: 1 }), NotFound);
    await assert.rejects(mailboxes.createMailbox(newId(), { name: 'x', parentId: null }), NotFound);
  });

  it('mailboxes are made, nested, renamed, moved and deleted, each with a new state', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const work = await mailboxes.createMailbox(accountId, { name: 'Work', parentId: null });
    assert.deepEqual(work, { id: work.id, name: 'Work', parentId: null, role: null, totalEmails: 0, unreadEmails: 0 });
    const child = await mailboxes.createMailbox(accountId, { name: 'Ärger', parentId: work.id });
    const before = await mailboxes.state(accountId);
    const renamed = await mailboxes.updateMailbox(accountId, child.id, { name: 'Freude', parentId: null });
    assert.deepEqual(renamed, { ...child, name: 'Freude', parentId: null });
    const { state, mailboxes: all } = await mailboxes.mailboxes(accountId);
    assert.ok(modseqOf(state) > modseqOf(before));
    assert.deepEqual(
      all.find(({ id }) => id === child.id),
      renamed,
    );
    await mailboxes.deleteMailbox(accountId, work.id, {});
    const left = await mailboxes.mailboxes(accountId);
    assert.equal(
      left.mailboxes.some(({ id }) => id === work.id),
      false,
    );
    assert.equal((await mailboxes.changes(accountId, before, 10)).mailboxesChanged, true);
  });

  it('names are unique among siblings, INBOX in any case', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const parent = await mailboxes.createMailbox(accountId, { name: 'Lists', parentId: null });
    await mailboxes.createMailbox(accountId, { name: 'Lists', parentId: parent.id });
    await mailboxes.createMailbox(accountId, { name: 'lists', parentId: null });
    await assert.rejects(mailboxes.createMailbox(accountId, { name: 'Lists', parentId: null }), AlreadyExists);
    await assert.rejects(mailboxes.createMailbox(accountId, { name: 'iNBOX', parentId: null }), AlreadyExists);
    await assert.rejects(mailboxes.updateMailbox(accountId, parent.id, { name: 'lists' }), AlreadyExists);
    assert.equal((await mailboxes.updateMailbox(accountId, parent.id, { name: 'Lists' })).name, 'Lists');
  });

  it('names that are empty, too long or have control characters are refused', async () => {
    const courier = use();
    const accountId = await courier.account();
    for (const name of ['', 'x'.repeat(256), 'ä'.repeat(128), 'a\nb', 'a\u0000b', 'a\u007fb', '\ud800']) {
      await refused('mailboxName', courier.store.mailboxes.createMailbox(accountId, { name, parentId: null }));
    }
    await courier.store.mailboxes.createMailbox(accountId, { name: 'ä'.repeat(127), parentId: null });
  });

  it('a mailbox isn’t put into itself, nor nested too deep, nor under one of another account', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const chain: string[] = [];
    for (let level = 0; level < maxMailboxDepth; level += 1) {
      chain.push(
        (await mailboxes.createMailbox(accountId, { name: `level ${level}`, parentId: chain.at(-1) ?? null })).id,
      );
    }
    await refused('mailboxTooDeep', mailboxes.createMailbox(accountId, { name: 'deeper', parentId: chain.at(-1)! }));
    await refused('mailboxInItself', mailboxes.updateMailbox(accountId, chain[0]!, { parentId: chain[3]! }));
    await refused('mailboxInItself', mailboxes.updateMailbox(accountId, chain[0]!, { parentId: chain[0]! }));
    const top = await mailboxes.createMailbox(accountId, { name: 'top', parentId: null });
    await refused('mailboxTooDeep', mailboxes.updateMailbox(accountId, chain[0]!, { parentId: top.id }));
    const stranger = await courier.account();
    await assert.rejects(mailboxes.createMailbox(stranger, { name: 'x', parentId: top.id }), NotFound);
    await assert.rejects(mailboxes.updateMailbox(stranger, top.id, { name: 'mine' }), NotFound);
    await assert.rejects(mailboxes.deleteMailbox(stranger, top.id, {}), NotFound);
  });

  it('mailboxes with a role stay, with their name and place', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const inbox = await courier.mailboxId(accountId, 'inbox');
    const trash = await courier.mailboxId(accountId, 'trash');
    await refused('mailboxHasRole', mailboxes.updateMailbox(accountId, inbox, { name: 'Eingang' }));
    await refused('mailboxHasRole', mailboxes.updateMailbox(accountId, trash, { parentId: inbox }));
    await refused('mailboxHasRole', mailboxes.deleteMailbox(accountId, trash, {}));
    await mailboxes.createMailbox(accountId, { name: 'under the inbox', parentId: inbox });
  });

  it('a mailbox with mail or children is deleted only when they have somewhere to go', async () => {
    const courier = use();
    const { mailboxes } = courier.store;
    const accountId = await courier.account();
    const archive = await courier.mailboxId(accountId, 'archive');
    const inbox = await courier.mailboxId(accountId, 'inbox');
    const parent = await mailboxes.createMailbox(accountId, { name: 'parent', parentId: null });
    const child = await mailboxes.createMailbox(accountId, { name: 'child', parentId: parent.id });
    const [first, second] = await courier.bringAll(accountId, [{}, { keywords: ['$seen'] }]);
    await mailboxes.update(accountId, first!, { mailboxIds: { [child.id]: true, [inbox]: false } }, {});
    await mailboxes.update(accountId, second!, { mailboxIds: { [child.id]: true } }, {});
    await refused('mailboxHasChild', mailboxes.deleteMailbox(accountId, parent.id, { moveTo: archive }));
    await refused('mailboxHasEmail', mailboxes.deleteMailbox(accountId, child.id, {}));
    await assert.rejects(mailboxes.deleteMailbox(accountId, child.id, { moveTo: newId() }), NotFound);
    await mailboxes.deleteMailbox(accountId, child.id, { moveTo: archive });
    assert.deepEqual((await listAll(mailboxes, accountId, { mailbox: archive })).sort(), [first!, second!].sort());
    assert.deepEqual(await listAll(mailboxes, accountId, { mailbox: inbox }), [second!]);
    const all = (await mailboxes.mailboxes(accountId)).mailboxes;
    const counts = all.find(({ id }) => id === archive);
    assert.deepEqual([counts?.totalEmails, counts?.unreadEmails], [2, 1]);
    assert.equal(
      all.some(({ id }) => id === child.id),
      false,
    );
  });
}

export async function refused(rule: string, attempt: Promise<unknown>): Promise<void> {
  await assert.rejects(attempt, (error) => error instanceof Refused && error.rule === rule);
}
